"""Two sweeps, cell by cell: `frontier compare`. What cannot be compared is said, and not computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from orchestrator.cli.results.report import report_of_ledger
from orchestrator.cli.steps import Steps
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import TrialSpec
from orchestrator.planning.fingerprints import differences
from orchestrator.report import Report
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.task_report import TaskReport
from orchestrator.tracking.ledger import Ledger

_DATA = "task.data: "
_SCORING = ("task.", "code.metrics")  # what a quality is a quality of


@dataclass(frozen=True)
class Side:
    """One of the two sweeps: its records and the report that they give."""

    ledger: Ledger
    steps: Steps

    @cached_property
    def report(self) -> Report:
        return report_of_ledger(self.ledger, steps=self.steps)

    @property
    def name(self) -> str:
        return self.report.sweep

    @cached_property
    def tasks(self) -> Mapping[str, TaskReport]:
        return {task.task: task for task in self.report.tasks}

    @cached_property
    def _trials(self) -> dict[str, list[PlannedTrial]]:
        """The planned trials, by cell."""
        trials: dict[str, list[PlannedTrial]] = {}
        for trial in self.ledger.sweep().trials:
            trials.setdefault(trial.cell.name, []).append(trial)
        return trials

    def points(self) -> dict[tuple[str, str], list[Point]]:
        """Return the results by task and cell: several where a cell ran on several devices."""
        points: dict[tuple[str, str], list[Point]] = {}
        for task in self.report.tasks:
            for point in task.points:
                points.setdefault((task.task, point.name), []).append(point)
        return points

    def comparison(self, task: str, point: Point) -> Comparison | None:
        of_task = self.tasks[task].comparisons
        return next((c for c in of_task if c.label == point.comparison), None)

    def spec(self, cell: str) -> TrialSpec | None:
        """Return how the first seed with a result was trained; None if no seed has one."""
        records = (self.ledger.trial(trial) for trial in self._trials.get(cell, []))
        attempt = next((record.decisive for record in records if record.decisive is not None), None)
        return None if attempt is None else self.ledger.spec(attempt)

    def seeds(self, cell: str) -> list[int]:
        return sorted({trial.seed for trial in self._trials.get(cell, [])})


class ComparedSide(TypedDict):
    """A cell in one sweep. Keys are stable: `--json` prints them."""

    state: str
    reason: str | None
    quality: float | None
    interval: tuple[float, float] | None
    seeds: int
    device_hours: float | None
    device_unit: str | None
    device: str | None


class ComparedRow(TypedDict):
    """A cell in two sweeps. Keys are stable: `--json` prints them. Lists have a line per reason."""

    task: str
    cell: str
    first: ComparedSide | None
    second: ComparedSide | None
    quality_difference: float | None
    cost_ratio: float | None
    changed: list[str]
    quality_not_comparable: list[str]
    cost_not_comparable: list[str]


def compare(first: Side, second: Side) -> list[ComparedRow]:
    """Return a row per task and cell, in the order of `first`."""
    before, after = first.points(), second.points()
    keys = dict.fromkeys([*before, *after])
    ordered = sorted(keys, key=lambda key: list(dict.fromkeys(task for task, _ in keys)).index(key[0]))
    return [
        _row(key, *_pair(first, second, key, before.get(key, []), after.get(key, [])), first, second)
        for key in ordered
    ]


def _pair(
    first: Side, second: Side, key: tuple[str, str], before: list[Point], after: list[Point]
) -> tuple[Point | None, Point | None]:
    """Return the two results that share a comparison key, else the first of each sweep."""
    for one in before:
        for other in after:
            if first.comparison(key[0], one) == second.comparison(key[0], other):
                return one, other
    return next(iter(before), None), next(iter(after), None)


def _row(
    key: tuple[str, str], one: Point | None, other: Point | None, first: Side, second: Side
) -> ComparedRow:
    task, cell = key
    row: ComparedRow = {
        "task": task,
        "cell": cell,
        "first": None if one is None else _side(first, task, one),
        "second": None if other is None else _side(second, task, other),
        "quality_difference": None,
        "cost_ratio": None,
        "changed": [],
        "quality_not_comparable": [],
        "cost_not_comparable": [],
    }
    if one is None or other is None:
        return row
    name = f"{cell}/{task}"
    before, after = first.spec(name), second.spec(name)
    changes = () if before is None or after is None else differences(before, after)
    row["changed"] = [change for change in changes if not change.startswith(_SCORING)]
    row["quality_not_comparable"] = list(_of_quality(first, second, task, changes))
    row["cost_not_comparable"] = list(_of_cost(first, second, task, one, other))
    row["changed"] += _of_seeds(first.seeds(name), second.seeds(name))
    if one.quality and other.quality and not row["quality_not_comparable"]:
        row["quality_difference"] = other.quality.mean - one.quality.mean
    if one.device_hours and other.device_hours and not row["cost_not_comparable"]:
        row["cost_ratio"] = other.device_hours.mean / one.device_hours.mean
    return row


def _side(side: Side, task: str, point: Point) -> ComparedSide:
    comparison, bounds = side.comparison(task, point), point.simultaneous
    return {
        "state": point.state.value,
        "reason": point.reason,
        "quality": None if point.quality is None else point.quality.mean,
        "interval": None if bounds is None else bounds.interval,
        "seeds": point.seeds,
        "device_hours": None if point.device_hours is None else point.device_hours.mean,
        "device_unit": None if comparison is None else comparison.unit,
        "device": None if comparison is None else comparison.device_type,
    }


def _of_quality(first: Side, second: Side, task: str, changes: tuple[str, ...]) -> Iterator[str]:
    metrics = first.tasks[task].metric.value, second.tasks[task].metric.value
    if metrics[0] != metrics[1]:
        yield f"metric: {metrics[0]} -> {metrics[1]}"
    for change in changes:
        if change.startswith(_DATA):
            yield f"the data: {change.removeprefix(_DATA)}"
        elif change.startswith(_SCORING) and not change.startswith("task.metric:"):
            yield change


def _of_cost(first: Side, second: Side, task: str, one: Point, other: Point) -> Iterator[str]:
    before, after = first.comparison(task, one), second.comparison(task, other)
    if before is None or after is None:
        return
    if before.device_type != after.device_type:
        yield f"device: {before.device_type} -> {after.device_type}"
    if before.precision != after.precision:
        yield f"precision: {before.precision} -> {after.precision}"
    for name in sorted({*before.software, *after.software}):
        versions = before.software.get(name, "unknown"), after.software.get(name, "unknown")
        if versions[0] != versions[1]:
            yield f"{name}: {versions[0]} -> {versions[1]}"


def _of_seeds(before: list[int], after: list[int]) -> list[str]:
    if before == after:
        return []
    numbers = (", ".join(map(str, seeds)) for seeds in (before, after))
    return ["seeds: {} -> {}".format(*numbers)]
