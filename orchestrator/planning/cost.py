"""What a trial will take, from what trials or probes like it took before, else from arithmetic."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from orchestrator.config.resources import AutoResources
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.probe import Timing
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Recipe, Resources, TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.planning.rates import AssumedRate
from orchestrator.planning.workload import (
    evaluations,
    operations,
    operations_per_example,
    training_examples,
    training_steps,
)

if TYPE_CHECKING:
    from orchestrator.planning.forecast_range import Noise

# Guesses for a plan without history; probes or finished trials replace them.
ASSUMED_START_SECONDS = 1.5  # loading and tokenising, whatever the training takes
ASSUMED_CLOSING_SECONDS = 0.5  # scoring test, which a candidate of a search is spared

LEVEL = 0.9  # of the intervals
_TAIL = NormalDist().inv_cdf((1 + LEVEL) / 2)
# Half-widths of these intervals, as shares: by how much predictions that rest on the same ground may be off
# together. Of what is exactly alike, then of neighbours, ever less alike. Held against what trials took by
# tests/bench/prediction_error.py.
SPREADS = {"ledger": (0.15, 0.5, 1.0, 2.0), "probe": (0.6, 0.8, 1.0, 2.0)}
ASSUMED_SPREAD = 5.0  # of arithmetic alone: a sixth to six times
_EXACT = 3  # names that exactly alike trials share: model, method entry, task
_ENOUGH = 3  # trials whose own spread can tell

_Likeness = tuple[str, ...]  # the names that trials share

Source = Literal["ledger", "probe", "estimate"]
Basis = Literal["ledger", "probe"]


def family_error(spread: float) -> float:
    """The standard deviation of a logarithm, of the half width of an interval as a share."""
    return math.log1p(spread) / _TAIL


@dataclass(frozen=True)
class Predicted:
    """Wall seconds with their interval, and what is known beside. Errors of one `family` go together: `below`
    and `above` are the standard deviations of their common logarithm, `seen` the finished trials that the
    family is known from (0 where it is known otherwise).

    `seconds` is what a trial usually takes. `share_of_sum` is what a sum pays for it, as a multiple: now and
    then a trial takes far longer than usual.
    """

    seconds: float
    source: Source
    low: float
    high: float
    family: tuple[str, ...] = ()
    below: float = 0.0
    above: float = 0.0
    seen: int = 0
    share_of_sum: float = 1.0
    devices: float = 1.0
    watts: float | None = None  # of all its devices, as metered
    device_type: str | None = None  # that it was measured on
    peak_memory_bytes: int | None = None  # the largest that trials like it took

    @property
    def expected_seconds(self) -> float:
        """The mean over many trials like it."""
        return self.seconds * self.share_of_sum

    def left(self, done_share: float) -> Predicted:
        """Of a trial whose checkpoint holds that share of its steps. It still has to start and to score."""
        if not done_share or not self.seconds:
            return self
        least = min(1.0, (ASSUMED_START_SECONDS + ASSUMED_CLOSING_SECONDS) / self.seconds)
        rest = max(1 - done_share, least)
        return replace(self, seconds=self.seconds * rest, low=self.low * rest, high=self.high * rest)


def device_of(resources: Resources | AutoResources) -> Literal["gpu", "core"]:
    return "gpu" if resources.gpus else "core"


@dataclass(frozen=True)
class _Seen:
    """A finished trial, or a probe."""

    timing: Timing

    examples: int | None
    work: float | None  # operations
    evaluations: int
    candidate: bool


@dataclass
class _Profile:
    """What trials that are alike had in common: medians of the parts, in seconds."""

    seen: list[_Seen] = field(default_factory=list)
    made: _Parts | None = None

    @property
    def parts(self) -> _Parts:
        if self.made is None:
            self.made = _Parts.of(self.seen)
        return self.made


@dataclass(frozen=True)
class _Parts:
    before: float  # start, loading, tokenising, warming up
    an_evaluation: float
    closing: float
    training: float  # the whole
    an_operation: float | None
    an_example: float | None
    spread: float | None  # of the pace, where enough trials tell; a share
    ratios: tuple[float, ...]  # of what each trial took to what these parts say; where enough trials tell
    rows: Mapping[str, int]
    watts: float | None
    device_type: str
    peak_memory_bytes: int | None

    @classmethod
    def of(cls, seen: Sequence[_Seen]) -> _Parts:
        timings = [one.timing for one in seen]
        by_work = [one.timing.train_seconds / one.work for one in seen if one.work]
        by_example = [one.timing.train_seconds / one.examples for one in seen if one.examples]
        powers = [t.joules / t.wall_seconds for t in timings if t.joules is not None]
        made = cls(
            before=statistics.median(
                t.start_seconds + t.load_seconds + t.tokenise_seconds + t.warm_up_seconds for t in timings
            ),
            an_evaluation=statistics.median(one.timing.evaluate_seconds / one.evaluations for one in seen),
            closing=_median([one.timing.closing_seconds for one in seen if not one.candidate]) or 0.0,
            training=statistics.median(t.train_seconds for t in timings),
            an_operation=_median(by_work),
            an_example=_median(by_example),
            spread=_spread(by_work or by_example),
            ratios=(),
            rows=next((t.rows for t in timings if t.rows), {}),
            watts=_median(powers),
            device_type=statistics.mode(t.device_type for t in timings),
            peak_memory_bytes=max(
                (t.peak_memory_bytes for t in timings if t.peak_memory_bytes), default=None
            ),
        )
        if len(seen) < _ENOUGH:
            return made
        return replace(made, ratios=tuple(one.timing.wall_seconds / made.usual(one) for one in seen))

    def usual(self, one: _Seen) -> float:
        """Seconds of a trial like it."""
        training = self.training
        if one.work and self.an_operation is not None:
            training = one.work * self.an_operation
        elif one.examples and self.an_example is not None:
            training = one.examples * self.an_example
        closing = 0.0 if one.candidate else self.closing
        return self.before + training + self.an_evaluation * one.evaluations + closing


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _spread(paces: Sequence[float]) -> float | None:
    """Two standard deviations, as a share of the median."""
    if len(paces) < _ENOUGH:
        return None
    return 2 * statistics.stdev(paces) / statistics.median(paces)


class Predictor:
    """Looks for finished trials on the same kind of device: of the same model, method and task; failing that,
    for a probe of these; then for either of the same model and task, of the same model, or any. Of what is
    found, the medians count: of the seconds an operation for training, of the other parts as they are."""

    def __init__(
        self,
        history: Iterable[TrialHistory],
        resources: Resources | AutoResources,
        probes: Iterable[TrialHistory] = (),
        *,
        rate: AssumedRate,
    ) -> None:
        self._device, self._rate = device_of(resources), rate
        self._resources = resources
        self._found: dict[tuple[Basis, _Likeness], _Profile] = defaultdict(_Profile)
        self._known: dict[tuple[object, ...], Predicted | None] = {}
        self._noise: Noise | None = None
        for trial in history:
            self._learn(trial, "ledger")
        for trial in probes:
            self._learn(trial, "probe")

    def _learn(self, trial: TrialHistory, basis: Basis) -> None:
        if trial.newest is None:
            return
        spec, found = trial.newest
        if found.wall_seconds is None:
            return
        if (found.device_type == CPU) != (self._device == "core"):
            return
        if found.timing is None and spec.recipe.train_seconds is not None:
            return  # it took what it was given
        seen = _seen(spec, found.timing, found.wall_seconds, found.device_type or "")
        for key in _likeness(spec.cell.model, spec.method.entry, spec.task.name):
            self._found[basis, key].seen.append(seen)

    def predict(
        self,
        backbone: BackboneSpec,
        method: MethodSpec,
        task: TaskSpec,
        recipe: Recipe,
        *,
        candidate: bool = False,
        resources: Resources | None = None,
    ) -> Predicted | None:
        """None where neither the ledger nor the catalogue gives ground for a figure. A candidate of a search
        never scores test. `resources`: what the trial is given, where that is not what the sweep says."""
        devices = (resources or self._resources).devices
        key = (backbone.name, method.name, task.name, recipe, candidate, devices)
        if key not in self._known:
            found = self._predict(backbone, method, task, recipe, candidate, devices)
            self._known[key] = None if found is None else _on(found, devices)
        return self._known[key]

    def _predict(
        self,
        backbone: BackboneSpec,
        method: MethodSpec,
        task: TaskSpec,
        recipe: Recipe,
        candidate: bool,
        devices: float,
    ) -> Predicted | None:
        for level, key in enumerate(_likeness(backbone.model, method.entry, task.name)):
            for basis in ("ledger", "probe"):
                profile = self._found.get((basis, key))
                if profile is None:
                    continue
                parts = profile.parts
                training = _training(parts, level, backbone, method, task, recipe)
                if training is None:
                    continue
                steps = training_steps(task, recipe, parts.rows)
                seconds = parts.before + training + parts.an_evaluation * evaluations(recipe, steps)
                seconds += 0.0 if candidate else parts.closing
                spread = max(SPREADS[basis][level], parts.spread or 0.0)
                found = _with_interval(seconds, basis, spread, (basis, *key), parts)
                if level or basis == "probe":
                    return found
                error = family_error(SPREADS[basis][level])
                number = len(profile.seen)
                more = self.noise.mean if number >= _ENOUGH else 1.0
                return replace(found, below=error, above=error, seen=number, share_of_sum=more)
        return self._by_arithmetic(backbone, method, task, recipe, candidate, devices)

    def _by_arithmetic(
        self,
        backbone: BackboneSpec,
        method: MethodSpec,
        task: TaskSpec,
        recipe: Recipe,
        candidate: bool,
        devices: float,
    ) -> Predicted | None:
        rest = ASSUMED_START_SECONDS + (0.0 if candidate else ASSUMED_CLOSING_SECONDS)
        if recipe.train_seconds is not None:  # only the rest is guessed, and scoring dev comes on top
            seconds = rest + recipe.train_seconds
            return _with_interval(seconds, "estimate", 0.5, ("estimate",))
        work = operations(backbone, method, task, recipe)
        if work is None:
            return None
        seconds = rest + work / (self._rate.of(recipe) * devices)
        return _with_interval(seconds, "estimate", ASSUMED_SPREAD, ("estimate",))

    @property
    def noise(self) -> Noise:
        """How trials scatter around what trials of their model, method and task usually take."""
        if self._noise is None:
            from orchestrator.planning.forecast_range import Noise

            exact = [
                profile.parts.ratios
                for (basis, key), profile in self._found.items()
                if basis == "ledger" and len(key) == _EXACT
            ]
            self._noise = Noise([ratio for ratios in exact for ratio in ratios])
        return self._noise

    @property
    def assumption(self) -> str:
        """What an estimate rests on, in a sentence for the plan."""
        return (
            "where no finished trial or probe is like it, a trial is taken to need "
            f"{ASSUMED_START_SECONDS + ASSUMED_CLOSING_SECONDS:g} s "
            f"and its training arithmetic at {self._rate.words}, "
            "or its budget of training seconds; `frontier plan --measure` makes probes"
        )


def _on(found: Predicted, devices: float) -> Predicted:
    """What was measured is told as on a GPU that nobody shares. A part of one gives that part of its time
    where the others fill it, and all of it where they do not."""
    if devices >= 1 or found.source == "estimate":
        return replace(found, devices=devices)
    watts = None if found.watts is None else found.watts * devices
    seconds, high = found.seconds / devices, found.high / devices
    below = found.below + family_error(1 / devices - 1)
    return replace(found, devices=devices, seconds=seconds, high=high, below=below, watts=watts)


def _with_interval(
    seconds: float, source: Source, spread: float, family: tuple[str, ...], parts: _Parts | None = None
) -> Predicted:
    alike = parts is not None and len(family) == 1 + _EXACT
    return Predicted(
        seconds,
        source,
        seconds / (1 + spread),
        seconds * (1 + spread),
        family,
        family_error(spread),
        family_error(spread),
        watts=None if parts is None else parts.watts,
        device_type=None if parts is None else parts.device_type,
        peak_memory_bytes=parts.peak_memory_bytes if parts is not None and alike else None,
    )


def _seen(spec: TrialSpec, timing: Timing | None, wall_seconds: float, device_type: str) -> _Seen:
    told = (timing or Timing(device_type=device_type, train_seconds=wall_seconds)).alone
    examples = told.steps * spec.recipe.batch_size or training_examples(spec.task, spec.recipe, told.rows)
    each = operations_per_example(spec.backbone, spec.method, spec.task, spec.recipe)
    return _Seen(
        timing=told,
        examples=examples,
        work=None if examples is None or each is None else examples * each,
        evaluations=evaluations(spec.recipe, told.steps or None),
        candidate=spec.candidate is not None,
    )


def _training(
    parts: _Parts, level: int, backbone: BackboneSpec, method: MethodSpec, task: TaskSpec, recipe: Recipe
) -> float | None:
    """Seconds of training steps, at the pace of what was seen. Without a count of operations, examples are
    the measure among trials of one model and task; of exactly the same cell the whole may stand for it."""
    if recipe.train_seconds is not None:
        return recipe.train_seconds
    work = operations(backbone, method, task, recipe, parts.rows)
    if work is not None and parts.an_operation is not None:
        return work * parts.an_operation
    examples = training_examples(task, recipe, parts.rows)
    if level <= 1 and examples is not None and parts.an_example is not None:
        return examples * parts.an_example
    return parts.training if level == 0 else None


def _likeness(model: str, entry: str, task: str) -> list[_Likeness]:
    """From the most to the least alike."""
    return [(model, entry, task), (model, task), (model,), ()]
