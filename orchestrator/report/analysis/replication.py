"""Published numbers beside ours: what we got, how far apart, and whether that agrees."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, stdev

from pydantic import Field

from orchestrator.contracts.backbone import MadeWeights, RandomWeights
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import Split
from orchestrator.report.analysis.equivalence import Equivalence, equivalence_test
from orchestrator.report.analysis.published import (
    ProtocolDifference,
    PublicationSheet,
    Published,
    PublishedNumber,
    is_cost,
)
from orchestrator.report.results.point import Point
from orchestrator.report.results.points import budget
from orchestrator.report.statistics.summary import Summary
from orchestrator.report.task_report import TaskReport

_COST = "a cost on the authors' machine, which ours cannot be held against"
_NO_CELL = "no such cell in this sweep"
_NO_RESULT = "the cell has no result yet"
_BUDGET = "the cell trains to another budget, or on fewer rows"

Place = tuple[str, str, str]  # task, model, domain


class Replicated(Record):
    """A published number beside ours. `interval`: of the difference, 90 %, over our seeds and their runs; the
    rules are those of `report.analysis.equivalence`."""

    published: PublishedNumber
    cell: str  # ours, with its task
    comparison: str | None
    ours: Summary
    difference: float  # ours less theirs; of a published maximum, what ours is expected to be
    interval: tuple[float, float] | None
    verdict: Equivalence
    why: str | None = None  # there is no interval, or what was compared
    remark: str | None = None


class Replication(Record):
    title: str
    citation: str | None
    rows: tuple[Replicated, ...]
    published: int  # numbers in the table
    left_out: dict[str, int] = Field(default_factory=dict)  # reason -> published numbers without ours
    protocol: tuple[ProtocolDifference, ...] = ()
    tables: dict[str, str] = Field(default_factory=dict)  # source_table -> title, where it has one

    @property
    def by_table(self) -> dict[str, list[Replicated]]:
        """Return the rows by the title of their table, or its name, in the order of the published numbers."""
        tables: dict[str, list[Replicated]] = {}
        for row in self.rows:
            name = row.published.source_table
            tables.setdefault(self.tables.get(name, name or "Published numbers"), []).append(row)
        return tables

    def count(self, verdict: Equivalence) -> int:
        return sum(row.verdict is verdict for row in self.rows)


def why(row: Replicated) -> str:
    """What to know about a replicated number: `theirs: median, sd 0.004, n = 3; …; ours: n = 2; …`."""
    theirs = [row.published.statistic]
    theirs += [f"sd {row.published.sd:g}"] if row.published.sd is not None else []
    theirs += [f"n = {row.published.n}"] if row.published.n is not None else []
    theirs += [row.published.note] if row.published.note else []
    ours = [f"n = {row.ours.n}", *(part for part in (row.why, row.remark) if part)]
    return f"theirs: {', '.join(theirs)}; ours: {', '.join(ours)}"


def verdict(replication: Replication) -> str:
    """Summarise the replication in a sentence."""
    if not replication.rows:
        return f"None of the {replication.published} published numbers has one of ours beside it yet."
    compared = len({id(row.published) for row in replication.rows})
    text = f"{compared} of {replication.published} published numbers have ours beside them: "
    agree, differ, unsettled = (replication.count(one) for one in Equivalence)
    text += f"{agree} agree within 1 point, {differ} differ by more, {unsettled} are open"
    text += " (two one-sided tests at 5 % over our seeds and their runs, each number alone)."
    apart = [100 * row.difference for row in replication.rows]
    if len(apart) > 2:
        mean, spread = fmean(apart), 1.96 * stdev(apart)
        low, high = mean - spread, mean + spread
        text += f" Ours less theirs is {mean:+.1f} points in the mean, mostly from {low:+.1f} to {high:+.1f}."
    return f"{text} It says nothing about other splits or settings."


def replicate(published: Published, tasks: Sequence[TaskReport], sweep: SweepRecord) -> Replication:
    """Add a row for each published number and each of our cells that matches it."""
    places: dict[Place, list[Point]] = {}
    for point in (p for task in tasks for p in task.points):
        places.setdefault((point.cell.task, point.cell.model, point.cell.domain), []).append(point)
    rows: list[Replicated] = []
    left_out: Counter[str] = Counter()
    for number in published.numbers:
        new_rows, reason = _rows(number, places, published.sheet, sweep)
        rows += new_rows
        left_out.update([] if new_rows else [reason])
    sheet = published.sheet
    return Replication(
        title=sheet.title,
        citation=sheet.citation,
        rows=tuple(rows),
        published=len(published.numbers),
        left_out=dict(sorted(left_out.items())),
        tables={name: table.title for name, table in sheet.tables.items()},
        protocol=(*_stand_ins(rows), *sheet.protocol),
    )


def _rows(
    number: PublishedNumber, places: dict[Place, list[Point]], sheet: PublicationSheet, sweep: SweepRecord
) -> tuple[list[Replicated], str]:
    """Return the rows, or why there are none."""
    if is_cost(number.metric):
        return [], _COST
    points = places.get((number.task, number.model, number.domain), [])
    alike = [p for p in points if _same_method(p, number, sheet, sweep)]
    if not alike:
        return [], _NO_CELL
    timed = [p for p in alike if _same_budget(p, number, sheet, sweep)]
    if not timed:
        return [], _BUDGET
    scored = [p for p in timed if p.seeds]
    if not scored:
        return [], _NO_RESULT
    metric = MetricName(number.metric)
    rows = [row for p in scored if (row := _row(number, p, metric, sheet, sweep)) is not None]
    return rows, f"{metric} was not scored"


def _same_method(point: Point, number: PublishedNumber, sheet: PublicationSheet, sweep: SweepRecord) -> bool:
    method = sweep.methods.get(point.cell.method)
    if method is None:
        return False
    if number.method not in (method.settings.kind, method.entry, method.name):
        return False
    settings = sheet.settings_of(number.model, number.method)
    ours = method.settings.model_dump() | {"scale": getattr(method.settings, "scale", None)}
    return all(ours.get(key) == value for key, value in settings.items())


def _same_budget(point: Point, number: PublishedNumber, sheet: PublicationSheet, sweep: SweepRecord) -> bool:
    table, recipe = sheet.tables.get(number.source_table), sweep.recipes.get(point.cell.name)
    if recipe is None:
        return True
    capped = recipe.train_rows is not None or recipe.train_rows_per_class is not None
    if table is None or table.budget == "any":
        return not capped
    if table.budget == "train_seconds" or number.model in table.train_seconds:
        return not capped and recipe.train_seconds == table.train_seconds.get(number.model, math.nan)
    return not capped and budget(recipe) is None


def _row(
    number: PublishedNumber, point: Point, metric: MetricName, sheet: PublicationSheet, sweep: SweepRecord
) -> Replicated | None:
    metrics = {Split.TEST: point.metrics, Split.DEV: point.dev_metrics}.get(Split(number.split), {})
    ours = metrics.get(metric)
    if ours is None:
        return None
    held = equivalence_test(ours, number)
    return Replicated(
        published=number,
        cell=point.cell.name,
        comparison=point.comparison,
        ours=ours,
        difference=held.difference,
        interval=held.interval,
        verdict=held.verdict,
        why=held.why,
        remark=_remark(point, sheet, sweep),
    )


def _remark(point: Point, sheet: PublicationSheet, sweep: SweepRecord) -> str | None:
    parts = ["stand-in weights"] if _is_stand_in(point.cell.model, point.cell.domain, sweep) else []
    parts += [f"saw {point.saw} in pretraining"] if point.saw else []
    recipe = sweep.recipes.get(point.cell.name)
    ours = recipe.model_dump() if recipe else {}
    if point.budget:
        ours.pop("epochs", None)
    for key, theirs in sheet.recipe_of(point.cell.model).items():
        if key in ours and ours[key] != theirs:
            parts.append(f"{key} {ours[key]}, theirs {theirs}")
    return "; ".join(parts) or None


def _is_stand_in(model: str, domain: str, sweep: SweepRecord) -> bool:
    backbone = sweep.backbones.get(f"{model}/{domain}")
    return backbone is not None and isinstance(backbone.weights, MadeWeights | RandomWeights)


def _stand_ins(rows: Sequence[Replicated]) -> list[ProtocolDifference]:
    models = {row.published.model for row in rows if (row.remark or "").startswith("stand-in")}
    if not models:
        return []
    ours = "Stand-in weights replace the published ones: these differences say nothing."
    return [ProtocolDifference(topic="weights", theirs="Published weights of each name.", ours=ours)]
