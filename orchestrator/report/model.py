"""The report as data: every rendering (HTML, Markdown, CSV, JSON, console) is made from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from orchestrator.contracts.ledger import Totals, device_unit
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.target import NEAR, Target
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, Phase, Precision, Signature, Source, TaskKind
from orchestrator.report.curves import Curve
from orchestrator.report.evidence import (
    AcrossTasks,
    ClaimFamily,
    FrontierView,
    GoodEnough,
    Group,
    Simultaneous,
)
from orchestrator.report.findings import (
    Axis,
    DomainMatrix,
    Pair,
    RefusalGroup,
    Replication,
    TaskScores,
    TunedCell,
)
from orchestrator.report.origins import WeightsOrigin
from orchestrator.report.phases import PhaseCost
from orchestrator.report.statistics import Summary
from orchestrator.report.what_if import WhatIf


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
    # Of being on the frontier of quality and device-hours; None where it cannot be said (one seed).
    frontier_probability: float | None = None
    near_probability: float | None = None  # on it, or within 1 point and 5 % of the cost: see `Member`
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

    plain: str = ""  # the cell in plain words: see `plain_names`

    @property
    def name(self) -> str:
        """The cell without its task, which stands above it."""
        return f"{self.cell.model}/{self.cell.domain}/{self.cell.method}"


class TaskReport(Record):
    task: str
    title: str
    kind: TaskKind
    metric: MetricName
    metric_title: str
    invented: bool
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()  # those of the notes that make its test scores doubtful, as clauses
    comparisons: tuple[Comparison, ...]  # more than one: a frontier each
    answers: tuple[str, ...]  # sentences
    points: tuple[Point, ...]  # on the frontier by cost, then by quality, then those without a result
    beside: MetricName | None = None  # the study's own way of scoring, where the sweep asked for it
    refusals: tuple[RefusalGroup, ...] = ()
    tuned: tuple[TunedCell, ...] = ()
    axes: tuple[Axis, ...] = ()
    pairs: tuple[Pair, ...] = ()
    scores: TaskScores | None = None
    frontiers: tuple[FrontierView, ...] = ()  # quality and device-hours first; per comparison and axes
    claims: tuple[ClaimFamily, ...] = ()
    groups: tuple[Group, ...] = ()
    good_enough: tuple[GoodEnough, ...] = ()  # per comparison key
    target: Target = NEAR  # what is good enough
    target_is_own: bool = False  # the sweep says so, else it is the default
    sizes: str | None = None  # how large each part is, as a sentence
    # What guessing scores, as each metric is read; empty where nobody knows.
    guessing: dict[MetricName, float] = Field(default_factory=dict)
    # By label of the comparison key: why none of its cells learnt anything, as a sentence.
    unlearned: dict[str, str] = Field(default_factory=dict)
    currency: str | None = None  # of the points' money; None where the sweep names no prices
    curves: tuple[Curve, ...] = ()  # of the frontier and the best of the others; read apart, see `learning`

    @property
    def loss(self) -> bool:
        """Whether quality is one, with its sign turned."""
        return self.metric is MetricName.LOSS


class FailedTrial(Record):
    trial: str
    kind: FailureKind
    phase: Phase
    message: str
    places: tuple[str, ...]
    attempts: int


class Refusal(Record):
    cell: str
    reason: str


class Report(Record):
    """Computed from the ledger alone: the same ledger gives the same report, to the last byte."""

    sweep: str
    question: str | None
    frontier_version: str
    results_until: float | None  # Unix time at which the newest result ended
    notices: tuple[str, ...]
    tasks: tuple[TaskReport, ...]
    refused: tuple[Refusal, ...]
    failed: tuple[FailedTrial, ...]
    stale: tuple[str, ...]  # names of trials
    unfinished: tuple[str, ...]  # not ended, or not begun
    collapsed: tuple[str, ...] = ()  # trials that predict one class, finished or stopped for it
    domains: DomainMatrix | None = None
    replication: Replication | None = None
    what_if: WhatIf | None = None  # the sweep at other prices, where that was asked for
    across: tuple[AcrossTasks, ...] = ()  # one a comparison key
    totals: Totals
    phases: tuple[PhaseCost, ...] = ()  # of all attempts
    weights: tuple[WeightsOrigin, ...] = ()
    provenance: dict[str, str]
    config: dict[str, Any]

    @property
    def device_unit(self) -> str:
        """Of the sweep's totals: `core-hours`, `GPU-hours`, or `device-hours` where it used both."""
        units = {device_unit(s.device_type) for s in self.totals.spending if s.billed}
        return units.pop() if len(units) == 1 else "device-hours"
