"""The report of one task, as data."""

from __future__ import annotations

from pydantic import Field

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.target import NEAR, Target
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report.analysis.best_set import BestSet
from orchestrator.report.analysis.claims import ClaimFamily
from orchestrator.report.analysis.curves import Curve
from orchestrator.report.analysis.distillation import StudentTeacherPair
from orchestrator.report.analysis.frontiers import FrontierView
from orchestrator.report.analysis.good_enough import GoodEnough
from orchestrator.report.analysis.sensitivity import SettingEffect
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.refusals import RefusalGroup
from orchestrator.report.results.searches import TunedCell
from orchestrator.report.scores.efficiency import TaskScores


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
    axes: tuple[SettingEffect, ...] = ()
    pairs: tuple[StudentTeacherPair, ...] = ()
    scores: TaskScores | None = None
    frontiers: tuple[FrontierView, ...] = ()  # quality and device-hours first; per comparison and axes
    claims: tuple[ClaimFamily, ...] = ()
    groups: tuple[BestSet, ...] = ()
    good_enough: tuple[GoodEnough, ...] = ()  # per comparison key
    target: Target = NEAR  # what is good enough
    target_is_own: bool = False  # the sweep says so, else it is the default
    unit: str | None = None  # of quality, say days; None: it has none
    sizes: str | None = None  # how large each part is, as a sentence
    # What guessing scores, as each metric is read; empty where it is unknown.
    guessing: dict[MetricName, float] = Field(default_factory=dict)
    # By label of the comparison key: why nothing is recommended, as a sentence.
    unlearned: dict[str, str] = Field(default_factory=dict)
    # Likewise, the cells that are not shown to score better than guessing.
    not_above_guessing: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    currency: str | None = None  # of the points' money; None where the sweep names no prices
    curves: tuple[Curve, ...] = ()  # of the frontier and the best of the others; read apart, see `learning`

    @property
    def loss(self) -> bool:
        """Return whether quality is a loss or an error with its sign changed."""
        return not METRICS[self.metric].higher_is_better
