"""A sweep that is driven from the head of a rig, and what a fault cost it."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from rig import Guest, Node, address_of
from workshop import Workshop, results, stop_midway, wait_for

from orchestrator.contracts.layout import ATTEMPTS
from orchestrator.contracts.outcome import CheckpointEvent, StartEvent, StepEvent, read_event

E = TypeVar("E", CheckpointEvent, StartEvent, StepEvent)
KEYS: dict[str, Any] = {
    "domains": ["clinical"],
    "methods": [{"name": "full", "learning_rate": 1e-3}],
    "tasks": ["mini-ner"],
    "seeds": [1, 2],
    "recipe": {"epochs": 6, "batch_size": 8},
    "retries": 0,
    "concurrency": 2,
}


@dataclass(frozen=True)
class Damage:
    """What a fault cost a sweep, beside a run that nothing happened to."""

    lost: int  # trials that never finished, or have no run in MLflow
    duplicates: int  # finishes and runs beyond one a trial
    behind: int  # steps from where a successor went on to the newest checkpoint that it was left; the most
    wasted_steps: int  # that some attempt did beyond where its successor went on; the most of all
    interval: int  # steps between checkpoints
    equal: bool  # every figure of every trial, to the last bit

    def check(self) -> None:
        assert (self.lost, self.duplicates, self.behind, self.equal) == (0, 0, 0, True), self
        assert self.wasted_steps <= self.interval, self


class Sweep:
    """`KEYS`, in a workshop."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.trials = workshop.sweeps / "mini" / "trials"

    def drive(self, head: Node, **changes: Any) -> Guest:
        file = self.workshop.write(**{**KEYS, **changes})
        command = self.workshop.command(
            "run", file, "--address", address_of(head), "--insecure-cluster"
        )  # it has no dashboard to ask
        return head.run(command, self.workshop.root)

    def attempts(self) -> dict[str, list[Path]]:
        """Directories by trial, oldest first."""
        found: dict[str, list[Path]] = {}
        for order in sorted(self.trials.glob(f"{ATTEMPTS}/order.json")):
            found.setdefault(str(order.parent.parent.relative_to(self.trials)), []).append(order.parent)
        return found

    def hold(self, node: Node) -> tuple[str, int]:
        """Waits until a trial is well under way on the node, and makes its process stand still there. Gives
        the trial and the process."""
        held: list[tuple[str, int]] = []

        def under_way() -> bool:
            for trial, attempts in self.attempts().items():
                if pid := stop_midway(attempts[-1], node.processes()):
                    held.append((trial, pid))
                    return True
            return False

        wait_for(under_way, f"a trial under way on {node.name}")
        return held[0]

    def failures(self) -> list[str]:
        outcomes = self.workshop.outcomes().values()
        return [outcome["failure"]["kind"] for outcome in outcomes if outcome["failure"]]

    def damage(self, calm: Calm) -> Damage:
        outcomes = self.workshop.outcomes().values()
        finishes = Counter(o["trial"] for o in outcomes if o["state"] == "finished")
        runs = Counter(tags["frontier.trial"] for tags in self.workshop.runs())
        once = Counter(calm.results.keys())
        return Damage(
            lost=(once - finishes).total() + (once - runs).total(),
            duplicates=(finishes - once).total() + (runs - once).total(),
            behind=max(map(steps_behind, self.attempts().values()), default=0),
            wasted_steps=max(map(wasted_steps, self.attempts().values()), default=0),
            interval=calm.interval,
            equal=results(outcomes) == calm.results,
        )


@dataclass(frozen=True)
class Calm:
    """A run that nothing happened to: what its trials found, and the steps between their checkpoints."""

    results: dict[str, Any]
    interval: int

    @classmethod
    def of(cls, sweep: Sweep) -> Calm:
        steps = [[e.step for e in told(a, CheckpointEvent)] for [a] in sweep.attempts().values()]
        gaps = {after - before for run in steps for before, after in itertools.pairwise([0, *run])}
        return cls(results(sweep.workshop.outcomes().values()), max(gaps))


def told(attempt: Path, kind: type[E]) -> list[E]:
    """Its events of that kind. A killed attempt may have cut its last line."""
    path, found = attempt / "events.jsonl", list[E]()
    for line in path.read_bytes().splitlines() if path.exists() else []:
        with suppress(ValidationError):
            event = read_event(line)
            found += [event] if isinstance(event, kind) else []
    return found


def wasted_steps(attempts: list[Path]) -> int:
    """The most steps at one trial that were done in vain: beyond where the next attempt went on."""
    most = done = 0
    for attempt in attempts:
        for start in told(attempt, StartEvent):
            most, done = max(most, done - (start.resumed_from_step or 0)), 0
        done = max([done, *(event.step for event in told(attempt, StepEvent))])
    return most


def steps_behind(attempts: list[Path]) -> int:
    """The most steps between the newest checkpoint that there was and the place where an attempt went on."""
    most = newest = 0
    for attempt in attempts:
        for start in told(attempt, StartEvent):
            most = max(most, newest - (start.resumed_from_step or 0))
        newest = max([newest, *(event.step for event in told(attempt, CheckpointEvent))])
    return most
