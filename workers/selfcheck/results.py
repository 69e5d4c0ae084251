"""The records of a check and its results. Results name no path and no machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from orchestrator.contracts.record import Record

if TYPE_CHECKING:
    from workers.selfcheck.workspace import Workspace


class CheckVerdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"  # a figure is beyond its limit, the check raised an error or its process died
    TIMED_OUT = "timed out"
    NOT_REACHED = "not reached"  # not started, because the time was over
    LEFT_OUT = "left out"  # it cannot run here, or was not requested


class Reading(Record):
    """One measurement of a check and its limit; without a limit it is only reported."""

    name: str
    value: float | str
    limit: str = ""
    passed: bool = True
    fix: str | None = None  # if it did not pass


def at_most(name: str, value: float, limit: float, fix: str | None = None) -> Reading:
    return Reading(name=name, value=value, limit=f"at most {limit:g}", passed=value <= limit, fix=fix)


def at_least(name: str, value: float, limit: float, fix: str | None = None) -> Reading:
    return Reading(name=name, value=value, limit=f"at least {limit:g}", passed=value >= limit, fix=fix)


def equal(name: str, value: float | str, expected: float | str, fix: str | None = None) -> Reading:
    limit = f"{expected:g}" if isinstance(expected, float) else expected
    return Reading(name=name, value=value, limit=limit, passed=value == expected, fix=fix)


class CheckProblemError(Exception):
    """A check cannot complete its measurements. Problem and fix are ours and contain no path."""

    def __init__(self, problem: str, fix: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.fix = problem, fix


class LeftOutError(Exception):
    """The check does not apply here. Its text gives the reason."""


@dataclass(frozen=True)
class Check:
    """One row. `claim` says what holds if it passes, `criterion` when it passes."""

    number: str  # of the table in README, such as "4"; "1.3" for a part of row 1
    name: str
    claim: str
    criterion: str
    run: Callable[[Workspace], Sequence[Reading]]
    seconds: float  # its time limit
    required: bool = True
    needs_gpu: bool = True  # otherwise it also runs under --rehearse
    doctor: bool = False  # a part of `frontier doctor --gpu`


class CheckResult(Record):
    number: str
    name: str
    claim: str
    criterion: str
    required: bool
    verdict: CheckVerdict
    seconds: NonNegativeFloat = 0.0
    figures: tuple[Reading, ...] = ()
    problem: str | None = None  # why it did not pass, beside its figures
    places: tuple[str, ...] = ()  # "workers/train.py:88 train" of an error, innermost last
    fix: str | None = None


class Machine(Record):
    """The machine that ran the checks."""

    gpu: str | None = None  # product name of the first GPU
    gpus: NonNegativeInt = 0
    memory_bytes: NonNegativeInt | None = None  # of the first GPU, as torch reports it
    capability: str | None = None  # such as "9.0"
    driver: str | None = None
    software: dict[str, str] = Field(default_factory=dict)


class Results(Record):
    """The results of one run of the checks, in the order in which they ran."""

    machine: Machine
    rehearsed: bool
    seconds: NonNegativeFloat
    checks: tuple[CheckResult, ...]

    @property
    def broken(self) -> tuple[CheckResult, ...]:
        """Return the required checks that did not pass. In a rehearsal, checks that need a GPU are skipped
        and do not count."""
        fine = {CheckVerdict.PASSED, CheckVerdict.LEFT_OUT} if self.rehearsed else {CheckVerdict.PASSED}
        return tuple(check for check in self.checks if check.required and check.verdict not in fine)
