"""What trials that are alike took, as medians over finished trials or probes. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator.contracts.probe import Timing
from orchestrator.contracts.trial import TrialSpec
from orchestrator.planning.workload import Workload

ENOUGH = 3  # trials that show how much trials like them vary


@dataclass(frozen=True)
class Observation:
    """What a finished trial or a probe took, and for how much work: examples and evaluations in passes
    through the whole model, as its record tells (`Workload.passes_made`)."""

    timing: Timing
    examples: float | None
    operations: float | None
    evaluations: float
    candidate: bool

    @classmethod
    def of_trial(
        cls, spec: TrialSpec, timing: Timing | None, wall_seconds: float, device_type: str
    ) -> Observation:
        """Return what a trial took on an exclusive device. Without a `timing`, all of it counts as
        training."""
        alone = (timing or Timing(device_type=device_type, train_seconds=wall_seconds)).alone
        work = Workload.of_trial(spec)
        examples, each = work.passes_made(alone), work.operations_per_example()
        return cls(
            timing=alone,
            examples=examples,
            operations=None if examples is None or each is None else examples * each,
            evaluations=work.evaluations_made(alone),
            candidate=spec.candidate is not None,
        )


@dataclass
class Profile:
    """Trials that are alike, and what they typically take. All are added before `typical` is read."""

    observations: list[Observation] = field(default_factory=list)

    @cached_property
    def typical(self) -> TypicalSeconds:
        return TypicalSeconds.of(self.observations)


@dataclass(frozen=True)
class TypicalSeconds:
    """The medians over trials that are alike, in seconds for each part of a trial."""

    before: float  # start, loading, tokenising, warming up
    per_evaluation: float
    closing: float
    training: float  # the whole
    per_operation: float | None
    per_example: float | None
    spread: float | None  # of the pace, a share; None with too few trials
    ratios: tuple[float, ...]  # of each trial to what is usual; empty with too few trials
    rows: Mapping[str, int]
    watts: float | None
    device_type: str
    peak_memory_bytes: int | None

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> TypicalSeconds:
        timings = [o.timing for o in observations]
        by_operation = [o.timing.train_seconds / o.operations for o in observations if o.operations]
        by_example = [o.timing.train_seconds / o.examples for o in observations if o.examples]
        powers = [t.joules / t.wall_seconds for t in timings if t.joules is not None]
        typical = cls(
            before=statistics.median(
                t.start_seconds + t.load_seconds + t.tokenise_seconds + t.warm_up_seconds for t in timings
            ),
            per_evaluation=statistics.median(o.timing.evaluate_seconds / o.evaluations for o in observations),
            closing=_median([o.timing.closing_seconds for o in observations if not o.candidate]) or 0.0,
            training=statistics.median(t.train_seconds for t in timings),
            per_operation=_median(by_operation),
            per_example=_median(by_example),
            spread=_spread(by_operation or by_example),
            ratios=(),
            rows=next((t.rows for t in timings if t.rows), {}),
            watts=_median(powers),
            device_type=statistics.mode(t.device_type for t in timings),
            peak_memory_bytes=max(
                (t.peak_memory_bytes for t in timings if t.peak_memory_bytes), default=None
            ),
        )
        if len(observations) < ENOUGH:
            return typical
        return replace(typical, ratios=tuple(o.timing.wall_seconds / typical.usual(o) for o in observations))

    def usual(self, trial: Observation) -> float:
        """Return the seconds that a trial with this much work usually takes."""
        training = self.training
        if trial.operations and self.per_operation is not None:
            training = trial.operations * self.per_operation
        elif trial.examples and self.per_example is not None:
            training = trial.examples * self.per_example
        closing = 0.0 if trial.candidate else self.closing
        return self.before + training + self.per_evaluation * trial.evaluations + closing


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _spread(paces: Sequence[float]) -> float | None:
    """Return two standard deviations as a share of the median."""
    if len(paces) < ENOUGH:
        return None
    return 2 * statistics.stdev(paces) / statistics.median(paces)
