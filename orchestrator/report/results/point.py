"""One cell of a task under one comparison key: its quality, its costs, and where both come from."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydantic import Field

from orchestrator.contracts.ledger import device_unit
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, Precision, Signature, Source
from orchestrator.report.results.failed_seeds import Trainings
from orchestrator.report.statistics.simultaneous import Simultaneous
from orchestrator.report.statistics.summary import Summary


class PointState(StrEnum):
    """The state of a cell over its seeds."""

    FINISHED = "finished"  # all planned seeds
    PARTIAL = "partial"  # some of them
    FAILED = "failed"  # none finished, at least one failed
    UNFINISHED = "unfinished"
    STALE = "stale"
    NEW = "new"
    REFUSED = "refused"


class Comparison(Record):
    """What must match for two results to share a cost axis. `label` tells it from the others of its task."""

    label: str
    device_type: str
    precision: Precision | None
    software: dict[str, str]

    @property
    def unit(self) -> str:
        return device_unit(self.device_type)


class Point(Record):
    """One cell, aggregated over its seeds under one comparison key.

    `quality` is oriented so that higher is better; seeds whose training failed are in it with what guessing
    gives, unless the sweep leaves them out. `device_hours` are the useful ones of one trial: what a run
    without a failure costs. They are None unless a seed finished. Where a seed shared a GPU, its
    device-hours are those of a calibration of its family alone on one, and None without a calibration.
    """

    cell: Cell
    backbone: str | None
    state: PointState
    reason: str | None = None  # of a refused or failed cell, or of what is missing from a partial one
    failed: dict[FailureKind, int] = Field(
        default_factory=dict
    )  # seeds; those that collapsed and finished, too
    seeds: int = 0  # finished
    planned_seeds: int = 0
    folds: int | None = None  # trainings of a seed, which together test each document; None: one
    comparison: str | None = None  # label
    quality: Summary | None = None
    device_hours: Summary | None = None
    billed_hours: float | None = None  # device-hours that were paid for a trial; mean of the finished seeds
    shared_gpu: bool = False  # a seed had a part of a GPU
    metrics: dict[MetricName, Summary] = Field(default_factory=dict)
    frontier: bool = False
    total_parameters: int | None = None
    trainable_parameters: int | None = None
    peak_memory_bytes: int | None = None  # the largest of the seeds: of the device where there is a GPU
    tokens_per_second: float | None = None
    saw: str | None = None  # the task's corpus, where the backbone's pretraining read it
    tuning_share: float | None = None  # device-hours of the search before, over the planned seeds
    signatures: dict[Signature, int] = Field(default_factory=dict)  # of the finished seeds
    # Where the recipe caps the training rows: the fewest and the most over the seeds, and over the classes.
    train_rows: tuple[int, int] | None = None
    class_rows: tuple[int, int] | None = None
    budget: str | None = None  # in words, where training does not go by epochs
    dev_metrics: dict[MetricName, Summary] = Field(default_factory=dict)  # at the best checkpoint
    adapted_parameters: int | None = None  # trained, the head left out; under full, the whole model
    seconds_to_best: float | None = None  # in training steps up to the best evaluation; mean of the seeds
    # The interval of quality that is printed; and that of this cell alone over seeds and test documents.
    simultaneous: Simultaneous | None = None
    population_interval: tuple[float, float] | None = None
    # Of being on the frontier of quality and device-hours; None for one seed.
    frontier_probability: float | None = None
    near_probability: float | None = (
        None  # on it, or within 1 point and 5 % of the cost: see `FrontierMember`
    )
    # Further axes: means over the finished seeds, None where not all of them tell.
    wall_seconds: Summary | None = None
    saved_bytes: int | None = None  # the largest of the seeds
    money: float | None = None  # at the sweep's own prices, in the task's `currency`
    energy_kwh: float | None = None  # of the devices that are billed
    energy_source: Source | None = None
    latency_ms: float | None = None

    @property
    def with_tuning(self) -> float | None:
        """Device-hours of a trial and of its share in the search; None unless both are known. What a search
        was billed on a part of a GPU does not add to what a trial takes alone on one."""
        if self.device_hours is None or self.tuning_share is None or self.shared_gpu:
            return None
        return self.device_hours.mean + self.tuning_share

    @property
    def trainings(self) -> Trainings:
        return Trainings.of(self.planned_seeds, self.folds)

    plain: str = ""  # the cell in plain words: see `plain_names`

    @property
    def name(self) -> str:
        """The cell without its task, which stands above it."""
        return self.cell.label


def fold_count(points: Iterable[Point]) -> int | None:
    """Return how many folds the seeds of a task have, None for a test part."""
    return next((point.folds for point in points if point.folds is not None), None)
