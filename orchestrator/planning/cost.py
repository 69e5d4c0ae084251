"""What a trial will take, from what trials or probes like it took before, else from arithmetic."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from orchestrator.config.resources import AutoResources
from orchestrator.contracts.kept_states import one_process_keeps
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.token_counts import TokenCounts
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import Split
from orchestrator.planning.observed_times import ENOUGH, Observation, Profile, TypicalSeconds
from orchestrator.planning.rates import AssumedRate
from orchestrator.planning.workload import (
    Workload,
    training_steps,
    with_counted_size,
)

if TYPE_CHECKING:
    from orchestrator.planning.forecast_range import Noise

# Guesses for a plan without history; probes or finished trials replace them.
ASSUMED_START_SECONDS = 1.5  # loading and tokenising, whatever the training takes
ASSUMED_CLOSING_SECONDS = 0.5  # scoring test, which a candidate of a search is spared

LEVEL = 0.9  # of the intervals
_TAIL = NormalDist().inv_cdf((1 + LEVEL) / 2)
# Half-widths of these intervals, as shares: by how much forecasts that rest on the same ground may be off
# together. Of what is exactly alike, then of neighbours, ever less alike. Held against what trials took by
# tests/bench/forecast_error.py.
SPREADS = {"ledger": (0.15, 0.5, 1.0, 2.0), "probe": (0.6, 0.8, 1.0, 2.0)}
ASSUMED_SPREAD = 5.0  # of arithmetic alone: a sixth to six times
_EXACT = 3  # names that exactly alike trials share: model, method entry, task

_Likeness = tuple[str, ...]  # the names that trials share

Source = Literal["ledger", "probe", "estimate"]
Basis = Literal["ledger", "probe"]


def family_error(spread: float) -> float:
    """Return the standard deviation of a logarithm, from the half width of an interval as a share."""
    return math.log1p(spread) / _TAIL


@dataclass(frozen=True)
class TrialForecast:
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
        """Return the mean over many trials like it."""
        return self.seconds * self.share_of_sum

    def left(self, done_share: float) -> TrialForecast:
        """Return the forecast for a trial whose checkpoint holds that share of its steps. It still has to
        start and to score."""
        if not done_share or not self.seconds:
            return self
        least = min(1.0, (ASSUMED_START_SECONDS + ASSUMED_CLOSING_SECONDS) / self.seconds)
        rest = max(1 - done_share, least)
        return replace(self, seconds=self.seconds * rest, low=self.low * rest, high=self.high * rest)


def device_of(resources: Resources | AutoResources) -> Literal["gpu", "core"]:
    return "gpu" if resources.gpus else "core"


class Forecaster:
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
        counts: Mapping[str, Mapping[int, Mapping[Split, SplitCounts]]] | None = None,
        tokens: Mapping[str, Mapping[str, TokenCounts]] | None = None,
    ) -> None:
        self._counts, self._tokens = counts or {}, tokens or {}
        self._device, self._rate = device_of(resources), rate
        self._resources = resources
        self._found: dict[tuple[Basis, _Likeness], Profile] = defaultdict(Profile)
        self._known: dict[tuple[object, ...], TrialForecast | None] = {}
        self._noise: Noise | None = None
        for trial in history:
            self._learn(trial, "ledger")
        for trial in probes:
            self._learn(trial, "probe")

    def _learn(self, trial: TrialHistory, basis: Basis) -> None:
        if trial.newest is None:
            return
        spec, observed = trial.newest
        if observed.wall_seconds is None:
            return
        if (observed.device_type == CPU) != (self._device == "core"):
            return
        if observed.timing is None and spec.recipe.train_seconds is not None:
            return  # it took what it was given
        device_type = observed.device_type or ""
        observation = Observation.of_trial(spec, observed.timing, observed.wall_seconds, device_type)
        for key in _likeness(spec.cell.model, spec.method.entry, spec.task.name):
            self._found[basis, key].observations.append(observation)

    def forecast(
        self,
        workload: Workload,
        *,
        candidate: bool = False,
        resources: Resources | None = None,
    ) -> TrialForecast | None:
        """Return the forecast, None if neither the ledger nor the catalogue allows one. A candidate of a
        search never scores test. `resources`: what the trial is given, if the sweep leaves that to the
        plan."""
        given = resources or self._resources
        devices, one = given.devices, not isinstance(given, Resources) or one_process_keeps(given)
        names = workload.backbone.name, workload.method.name, workload.task.name
        key = (*names, workload.recipe, candidate, devices, one)
        if key not in self._known:
            by_tokenizer = self._tokens.get(workload.task.name, {}).get(workload.backbone.name)
            counts, length = self._counts.get(workload.task.name, {}), workload.recipe.max_length
            task = with_counted_size(workload.task, counts, by_tokenizer, length)
            workload = replace(workload, task=task, one_process=one)
            forecast = self._forecast(workload, candidate, devices)
            self._known[key] = None if forecast is None else _on(forecast, devices)
        return self._known[key]

    def _forecast(self, workload: Workload, candidate: bool, devices: float) -> TrialForecast | None:
        task, recipe = workload.task, workload.recipe
        for level, key in enumerate(_likeness(workload.backbone.model, workload.method.entry, task.name)):
            for basis in ("ledger", "probe"):
                profile = self._found.get((basis, key))
                if profile is None:
                    continue
                typical = profile.typical
                training = _training(typical, level, workload)
                if training is None:
                    continue
                steps = training_steps(task, recipe, typical.rows)
                scored = workload.evaluations(steps, typical.rows)
                seconds = typical.before + training + typical.per_evaluation * scored
                seconds += 0.0 if candidate else typical.closing
                spread = max(SPREADS[basis][level], typical.spread or 0.0)
                forecast = _with_interval(seconds, basis, spread, (basis, *key), typical)
                if level or basis == "probe":
                    return forecast
                error = family_error(SPREADS[basis][level])
                number = len(profile.observations)
                more = self.noise.mean if number >= ENOUGH else 1.0
                return replace(forecast, below=error, above=error, seen=number, share_of_sum=more)
        return self._by_arithmetic(workload, candidate, devices)

    def _by_arithmetic(self, workload: Workload, candidate: bool, devices: float) -> TrialForecast | None:
        recipe = workload.recipe
        rest = ASSUMED_START_SECONDS + (0.0 if candidate else ASSUMED_CLOSING_SECONDS)
        if recipe.train_seconds is not None:  # only the rest is guessed, and scoring dev comes on top
            seconds = rest + recipe.train_seconds
            return _with_interval(seconds, "estimate", 0.5, ("estimate",))
        operations = workload.operations()
        if operations is None:
            return None
        seconds = rest + operations / (self._rate.of(recipe) * devices)
        return _with_interval(seconds, "estimate", ASSUMED_SPREAD, ("estimate",))

    @property
    def noise(self) -> Noise:
        """Return how trials vary around the usual time of trials of their model, method and task."""
        if self._noise is None:
            from orchestrator.planning.forecast_range import Noise

            exact = [
                profile.typical.ratios
                for (basis, key), profile in self._found.items()
                if basis == "ledger" and len(key) == _EXACT
            ]
            self._noise = Noise([ratio for ratios in exact for ratio in ratios])
        return self._noise

    @property
    def assumption(self) -> str:
        """Return what an estimate assumes, as a sentence for the plan."""
        return (
            "where no finished trial or probe is like it, a trial is taken to need "
            f"{ASSUMED_START_SECONDS + ASSUMED_CLOSING_SECONDS:g} s "
            f"and its training arithmetic at {self._rate.words}, "
            "or its budget of training seconds; `frontier plan --measure` makes probes"
        )


def _on(forecast: TrialForecast, devices: float) -> TrialForecast:
    """Return the forecast for a share of a GPU, from one for an unshared GPU. One in n shares takes n times
    as long while other trials fill the GPU, and as long as alone if they do not."""
    if devices >= 1 or forecast.source == "estimate":
        return replace(forecast, devices=devices)
    watts = None if forecast.watts is None else forecast.watts * devices
    seconds, high = forecast.seconds / devices, forecast.high / devices
    below = forecast.below + family_error(1 / devices - 1)
    return replace(forecast, devices=devices, seconds=seconds, high=high, below=below, watts=watts)


def _with_interval(
    seconds: float,
    source: Source,
    spread: float,
    family: tuple[str, ...],
    typical: TypicalSeconds | None = None,
) -> TrialForecast:
    alike = typical is not None and len(family) == 1 + _EXACT
    return TrialForecast(
        seconds,
        source,
        seconds / (1 + spread),
        seconds * (1 + spread),
        family,
        family_error(spread),
        family_error(spread),
        watts=None if typical is None else typical.watts,
        device_type=None if typical is None else typical.device_type,
        peak_memory_bytes=typical.peak_memory_bytes if typical is not None and alike else None,
    )


def _training(typical: TypicalSeconds, level: int, workload: Workload) -> float | None:
    """Return the seconds of training steps, at the pace that was observed. Without a count of operations,
    examples are the measure among trials of one model and task; the total may be used for exactly the same
    cell."""
    if workload.recipe.train_seconds is not None:
        return workload.recipe.train_seconds
    operations = workload.operations(typical.rows)
    if operations is not None and typical.per_operation is not None:
        return operations * typical.per_operation
    examples = workload.training_passes(typical.rows)
    if level <= 1 and examples is not None and typical.per_example is not None:
        return examples * typical.per_example
    return typical.training if level == 0 else None


def _likeness(model: str, entry: str, task: str) -> list[_Likeness]:
    """Return the keys of trials that are alike, from the most to the least."""
    return [(model, entry, task), (model, task), (model,), ()]
