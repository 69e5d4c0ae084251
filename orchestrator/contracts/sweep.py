"""What the driver writes down about a sweep before it starts, and reads back for status, report and sync."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.fold import Fold
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.price import Market, PriceBook
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Cell, trial_name
from orchestrator.contracts.tuning import Tuned, with_values
from orchestrator.contracts.vocabulary import FailureRule


class PlannedTrial(Record):
    cell: Cell
    seed: NonNegativeInt
    fingerprint: str
    resources: Resources
    forecast_seconds: NonNegativeFloat | None = None  # wall, of the whole trial
    done_share: Annotated[float, Field(ge=0, le=1)] = (
        0.0  # of its steps, in the checkpoint that it continues from
    )
    candidate: PositiveInt | None = None  # number in a tuning search
    fold: Fold | None = Field(None, exclude_if=lambda fold: fold is None)

    @model_validator(mode="before")
    @classmethod
    def _earlier_key(cls, given: Any) -> Any:
        """Read records of versions that called the forecast `predicted_seconds`."""
        if not isinstance(given, dict) or "predicted_seconds" not in given:
            return given
        others = {key: value for key, value in given.items() if key != "predicted_seconds"}
        return {"forecast_seconds": given["predicted_seconds"], **others}

    @property
    def name(self) -> str:
        return trial_name(self.cell, self.seed, self.candidate, self.fold)

    @property
    def seconds_left(self) -> float | None:
        """Return the wall seconds forecast for what its checkpoint has not done."""
        return None if self.forecast_seconds is None else self.forecast_seconds * (1 - self.done_share)


EXCLUDED = "excluded: "  # the beginning of a reason that a rule of the sweep gives


class RefusedCell(Record):
    """Planned but not runnable."""

    cell: Cell
    reason: str

    @property
    def by_rule(self) -> bool:
        return self.reason.startswith(EXCLUDED)


class ChangedData(Record):
    """Files of a task that changed between two times: the first trial of a run came after `since`, and their
    digest had changed by `until`. Unix times, seconds."""

    task: str
    since: float
    until: float


class SweepRecord(Record):
    """`sweep.json` in the sweep's directory. Each catalogue entry is in it once, by name."""

    name: str
    question: str | None = None
    good_enough: SweepTarget | None = None
    failures: FailureRule = FailureRule.COUNT
    written_at: float  # Unix time
    frontier_version: str
    config: dict[str, Any]  # the resolved sweep file, overrides included
    backbones: dict[str, BackboneSpec]  # by "model/domain"
    methods: dict[str, MethodSpec]  # by slug, as in the file: see `method_of`
    tasks: dict[str, TaskSpec]
    recipes: dict[str, Recipe]  # by cell name; with the winner's values where a search is over
    trials: tuple[PlannedTrial, ...]
    candidates: tuple[PlannedTrial, ...] = ()  # of tuning searches, as far as they are known
    tuned: dict[str, Tuned] = Field(default_factory=dict)  # by cell name, once its search is over
    refused: tuple[RefusedCell, ...] = ()
    standalone: dict[str, Standalone] = Field(default_factory=dict)  # by cell name, where it was calibrated
    prices: PriceBook | None = None  # that `prices` named at launch, a file of the user's own included
    market: Market = "on_demand"
    money_per_device_hour: NonNegativeFloat | None = None  # by it, as the budget's gate counts: power too
    # Random, given with the first record in a directory and kept: another sweep of this name has another one.
    sweep_id: str | None = Field(None, exclude_if=lambda given: given is None)
    # Kept from driver to driver: a result that ended in one of these times may be of other rows than its
    # fingerprint says.
    changed_data: tuple[ChangedData, ...] = Field((), exclude_if=lambda changes: not changes)
    # Where runs come from that Frontier did not make; None: it made them.
    runs_from: str | None = Field(None, exclude_if=lambda source: source is None)
    provenance: dict[str, str] = Field(default_factory=dict)  # code commit, python, platform, lock digest …

    def data_changed(self, task: str, ended_at: float) -> bool:
        """Return whether the files of the task may have changed before a trial ended at that time."""
        return any(c.task == task and c.since <= ended_at <= c.until for c in self.changed_data)

    def method_of(self, cell: Cell) -> MethodSpec:
        """Return the method as the cell is trained: with the settings that its search found, if there was
        one."""
        method, tuned = self.methods[cell.method], self.tuned.get(cell.name)
        return method if tuned is None else with_values(method, self.recipes[cell.name], tuned.values)[0]
