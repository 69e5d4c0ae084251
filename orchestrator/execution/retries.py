"""Which failures are worth another attempt. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.vocabulary import FailureKind

_PASSING = frozenset({FailureKind.PREEMPTED, FailureKind.OUT_OF_MEMORY, FailureKind.TIMEOUT})
_MOST_OUT_OF_MEMORY = 2  # a neighbour may have taken the memory once; twice, and it is the trial itself


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    retries: int = 2  # attempts after the first one, in one launch


class NextStep(StrEnum):
    ATTEMPT = "attempt"
    FINISHED = "finished"
    GIVE_UP = "give up"


def next_step(outcomes: Sequence[Outcome], policy: RetryPolicy) -> NextStep:
    """What to do after `outcomes`, all those of this launch at one trial, oldest first.

    PREEMPTED, OUT_OF_MEMORY (once) and TIMEOUT may pass by themselves. The other kinds are deterministic:
    the same attempt again would end the same way.
    """
    if any(outcome.state == "finished" for outcome in outcomes):
        return NextStep.FINISHED
    if not outcomes:
        return NextStep.ATTEMPT
    kinds = [outcome.failure.kind for outcome in outcomes if outcome.failure is not None]
    if (
        len(outcomes) > policy.retries
        or kinds[-1] not in _PASSING
        or kinds.count(FailureKind.OUT_OF_MEMORY) >= _MOST_OUT_OF_MEMORY
    ):
        return NextStep.GIVE_UP
    return NextStep.ATTEMPT
