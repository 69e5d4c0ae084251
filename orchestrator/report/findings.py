"""What a report says beside the frontier, as data: searches, axes, pairs, domains, refusals, the paper."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.tuning import Value
from orchestrator.report.evidence import Simultaneous
from orchestrator.report.scores import Scores
from orchestrator.report.statistics import Summary


class TunedCell(Record):
    """What a search before the seeds found, and took. `share` is its cost over the planned seeds."""

    cell: str  # model/domain/method
    values: dict[str, Value]
    metric: MetricName
    dev_quality: float
    candidates: int  # scored
    failed: int
    device_hours: float
    device_type: str
    seeds: int  # planned
    share: float | None  # device-hours a seed; None without seeds


class RefusalGroup(Record):
    """Cells refused for one reason."""

    reason: str
    cells: tuple[str, ...]  # model/domain/method


class AxisValue(Record):
    value: float
    cell: str  # model/domain/method
    quality: Summary
    simultaneous: Simultaneous | None
    device_hours: float | None
    trainable_parameters: int | None


class AxisSeries(Record):
    """Cells that differ in one number alone."""

    label: str
    comparison: str | None
    values: tuple[AxisValue, ...]  # rising


class Axis(Record):
    """Quality against a number that the grid varies: a setting of a method, or a key of the recipe."""

    key: str
    title: str
    series: tuple[AxisSeries, ...]


class Pair(Record):
    """A student beside its teacher, under one method and comparison key. Ratios are student over teacher."""

    method: str
    student: str  # model/domain
    teacher: str
    comparison: str | None
    student_quality: Summary
    teacher_quality: Summary
    difference: float  # student less teacher
    cost_ratio: float | None
    parameter_ratio: float | None


class DomainColumn(Record):
    """One task against the domains of the backbones: means over the same models and methods in each."""

    task: str
    title: str
    domain: str
    invented: bool
    combinations: int  # of model and method, scored under every domain
    quality: dict[str, float]  # by the backbones' domain; empty without such combinations
    # The matched domain less the mean of the others, on the seeds that all of them have where they share two;
    # and its 95 % interval over seeds and, where told, documents.
    match_gain: float | None
    match_interval: tuple[float, float] | None = None


class DomainMatrix(Record):
    domains: tuple[str, ...]  # of the backbones
    columns: tuple[DomainColumn, ...]  # by the tasks' domain


class TaskScores(Record):
    """The paper's composite score of a task's points, with the set it hangs on."""

    scores: Scores
    notes: tuple[str, ...]


class PublishedNumber(Record):
    """A row of a table of published results. Names are those of our catalogue; empty fields are unknown."""

    source_table: str
    model: str
    domain: str
    method: str  # the kind of its settings: full, lora, ia3 …
    task: str
    metric: str  # a MetricName, or a cost that is listed and never compared
    statistic: str  # median, max, mean, best-of-repeats, single
    value: float
    sd: float | None = None
    n: int | None = None  # runs behind it
    split: str = "test"
    note: str = ""


class Verdict(StrEnum):
    """Of a published number beside ours."""

    AGREES = "agrees"  # shown to be within 1 point
    DIFFERS = "differs"  # shown to be further apart
    OPEN = "open"


class Replicated(Record):
    """A published number beside ours. `interval`: of the difference, 90 %, over our seeds and their runs; the
    rules are those of `report.equivalence`."""

    published: PublishedNumber
    cell: str  # ours, with its task
    comparison: str | None
    ours: Summary
    difference: float  # ours less theirs; of a published maximum, what ours is expected to be
    interval: tuple[float, float] | None
    verdict: Verdict
    why: str | None = None  # there is no interval, or what was compared
    remark: str | None = None


class Protocol(Record):
    """One thing that the publication did otherwise, in two sentences."""

    topic: str
    theirs: str
    ours: str


class Replication(Record):
    title: str
    citation: str | None
    rows: tuple[Replicated, ...]
    published: int  # numbers in the table
    left_out: dict[str, int] = Field(default_factory=dict)  # reason -> published numbers without ours
    protocol: tuple[Protocol, ...] = ()
    tables: dict[str, str] = Field(default_factory=dict)  # source_table -> title, where it has one

    @property
    def by_table(self) -> dict[str, list[Replicated]]:
        """In the order of the published numbers; by the title of their table, or its name."""
        found: dict[str, list[Replicated]] = {}
        for row in self.rows:
            name = row.published.source_table
            found.setdefault(self.tables.get(name, name or "Published numbers"), []).append(row)
        return found

    def count(self, verdict: Verdict) -> int:
        return sum(row.verdict is verdict for row in self.rows)
