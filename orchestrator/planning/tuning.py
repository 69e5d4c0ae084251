"""The state of a cell's tuning search: its candidates, what they scored, and the winner. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from orchestrator.config import GridCell
from orchestrator.config.shape_limits import text_room
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import trial_name
from orchestrator.contracts.trial_history import FingerprintHistory, TrialHistory
from orchestrator.contracts.tuning import Tune, Tuned, with_values
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.errors import ConfigError, Problem
from orchestrator.planning.cost import Forecaster, TrialForecast
from orchestrator.planning.sampler import Values, draw, rounds
from orchestrator.planning.workload import Workload

# They say nothing about the values: the candidate is tried again, and the search waits for it.
_SAYS_NOTHING = frozenset({FailureKind.PREEMPTED, FailureKind.DEVICE, FailureKind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class Candidate:
    """`cell` is the grid's with the candidate's values. `history` is what the ledger holds under its
    fingerprint; None: nothing."""

    trial: PlannedTrial
    cell: GridCell
    values: Values
    forecast: TrialForecast | None
    state: TrialState
    history: FingerprintHistory | None

    @property
    def settled(self) -> bool:
        """Return whether it was scored, or failed because of its values."""
        if self.history is None or self.state is TrialState.UNFINISHED:
            return False
        return self.history.failure not in _SAYS_NOTHING

    @property
    def quality(self) -> float | None:
        """Return the quality on dev, None unless it was scored."""
        return self.history.dev_quality if self.history is not None else None


@dataclass(frozen=True, slots=True)
class Search:
    """`candidates` are those drawn by now, by number; one that repeats an earlier one is left out. `ahead`
    has the forecasts of what is still to run, a tuple per round. `problem`: why it found no winner, though
    all were tried.
    """

    cell: GridCell
    tune: Tune
    candidates: tuple[Candidate, ...]
    to_run: tuple[Candidate, ...]
    ahead: tuple[tuple[TrialForecast | None, ...], ...] = ()
    tuned: Tuned | None = None
    problem: str | None = None

    @property
    def left(self) -> int:
        """Candidates without a result, those not drawn yet included."""
        return sum(map(len, self.ahead))

    @property
    def winner(self) -> GridCell | None:
        """Return the cell as its seeds are trained, None before the search ends."""
        if self.tuned is None:
            return None
        return next(c.cell for c in self.candidates if c.trial.candidate == self.tuned.candidate)


@dataclass(frozen=True)
class Searcher:
    """What searches need from their plan: the `resources` of a cell's trials, and the `fingerprint` of a
    candidate of a cell."""

    file: Path
    history: Mapping[str, TrialHistory]
    resources: Callable[[GridCell], Resources]
    forecaster: Forecaster
    fingerprint: Callable[[GridCell, int], str]

    def search(self, cell: GridCell, tune: Tune) -> Search:
        """Draws round after round for as long as all earlier ones have their results."""
        self._refuse_bad_corners(cell, tune)
        candidates, qualities = list[Candidate](), list[float | None]()
        by_fingerprint: dict[str, Candidate] = {}
        sizes = rounds(tune)
        for index in range(len(sizes)):
            drawn = draw(tune, cell.variant.spec.settings, qualities)
            start = len(qualities) + 1
            fresh = list[Candidate]()
            for number, values in enumerate(drawn, start):
                candidate = self._candidate(cell, tune, number, values)
                if by_fingerprint.setdefault(candidate.trial.fingerprint, candidate) is candidate:
                    fresh.append(candidate)
                qualities.append(by_fingerprint[candidate.trial.fingerprint].quality)
            candidates += fresh
            waiting = [c for c in fresh if not c.settled]
            if waiting:
                usual = self._forecast(cell)
                later = [(usual,) * more for more in sizes[index + 1 :]]
                ahead = (tuple(c.forecast for c in waiting), *later)
                return Search(cell, tune, tuple(candidates), tuple(waiting), ahead)
            if all(quality is None for quality in qualities):
                tried, again = tuple(candidates), tuple(c.forecast for c in candidates)
                return Search(cell, tune, tried, tried, (again,), problem=_problem(tried))
        return Search(cell, tune, tuple(candidates), (), tuned=_tuned(candidates))

    def _candidate(self, cell: GridCell, tune: Tune, number: int, values: Values) -> Candidate:
        tried = self._applied(cell, values)
        trial_history = self.history.get(trial_name(cell.cell, tune.seed, number), TrialHistory())
        mark = self.fingerprint(tried, tune.seed)
        forecast = self._forecast(tried)
        trial = PlannedTrial(
            cell=cell.cell,
            seed=tune.seed,
            fingerprint=mark,
            resources=self.resources(cell),
            forecast_seconds=None if forecast is None else forecast.seconds,
            candidate=number,
        )
        observed = trial_history.by_fingerprint.get(mark)
        return Candidate(trial, tried, values, forecast, trial_history.state(mark), observed)

    def _forecast(self, cell: GridCell) -> TrialForecast | None:
        workload = Workload.of_cell(cell)
        return self.forecaster.forecast(workload, candidate=True, resources=self.resources(cell))

    def _applied(self, cell: GridCell, values: Values) -> GridCell:
        try:
            return applied(cell, values)
        except ValidationError as error:
            shown = ", ".join(f"{key} {value}" for key, value in values.items())
            problem = f"the search of {cell.cell.name} would try {shown}: {_said(error)}"
            fix = "change the `space` of its `tune`, or the key that it does not go together with"
            raise ConfigError([Problem(str(self.file), "methods", problem, fix)]) from None

    def _refuse_bad_corners(self, cell: GridCell, tune: Tune) -> None:
        """Rules over several keys hold or break at the ends of ranges: found before anything runs."""
        for values in tune.corners(tune.space):
            self._applied(cell, values)


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return " ".join([*map(str, first["loc"][-1:]), first["msg"].removeprefix("Value error, ")])


def applied(cell: GridCell, values: Values) -> GridCell:
    """Return the cell with a candidate's values. They leave room for the text: the grid has checked that.
    Raises pydantic.ValidationError where they do not go together."""
    method, recipe = with_values(cell.variant.spec, cell.recipe, values)
    longest = text_room(cell.backbone, method.settings)
    if recipe.max_length > longest:
        recipe = Recipe.model_validate(recipe.model_dump() | {"max_length": longest})
    return replace(cell, variant=replace(cell.variant, spec=method), recipe=recipe)


def _tuned(candidates: list[Candidate]) -> Tuned:
    """Return the best candidate on dev, the earlier one of equals."""
    scored = [(c.quality, c) for c in candidates if c.quality is not None]
    best, winner = max(scored, key=lambda pair: pair[0])
    assert winner.history is not None
    assert winner.trial.candidate is not None
    return Tuned(
        values=winner.values,
        candidate=winner.trial.candidate,
        metric=winner.cell.task.spec.metric,
        dev_quality=best,
        candidates=len(scored),
        failed=len(candidates) - len(scored),
        device_seconds=sum(c.history.device_seconds for c in candidates if c.history is not None),
        device_type=winner.history.device_type or "",
    )


def _problem(candidates: tuple[Candidate, ...]) -> str:
    kinds = Counter(
        str(c.history.failure) if c.history is not None and c.history.failure is not None else "no dev score"
        for c in candidates
    )
    failures = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return (
        f"its search found no settings: none of {len(candidates)} candidates was scored ({failures});"
        " `frontier run` tries them again"
    )
