"""The report as documented JSON."""

from __future__ import annotations

from orchestrator.contracts.ledger import Spending
from orchestrator.report.analysis.equivalence import Equivalence
from orchestrator.report.analysis.replication import Replication
from orchestrator.report.recommendation.summary import recommendations, sentences
from orchestrator.report.record import Report
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.scores.efficiency import TaskScores
from orchestrator.report.statistics.summary import Summary
from orchestrator.report.task_report import TaskReport


def report_json(report: Report) -> dict[str, object]:
    """The stable, documented form: `frontier report --json` and report.json."""
    return {
        "sweep": report.sweep,
        "question": report.question,
        "frontier_version": report.frontier_version,
        "results_until": report.results_until,
        "device_unit": report.device_unit,
        "summary": list(sentences(report)),
        "notices": list(report.notices),
        "tasks": [_task_json(task) for task in report.tasks],
        "refused": [r.model_dump(mode="json") for r in report.refused],
        "failed": [f.model_dump(mode="json") for f in report.failed],
        "stale": list(report.stale),
        "unfinished": list(report.unfinished),
        "collapsed": list(report.collapsed),
        "domains": report.domains.model_dump(mode="json") if report.domains else None,
        "replication": _replication_json(report.replication) if report.replication else None,
        "across": [view.model_dump(mode="json") for view in report.across],
        "what_if": report.what_if.model_dump(mode="json") if report.what_if else None,
        "totals": _totals_json(report),
        "phases": [cost.model_dump(mode="json") for cost in report.phases],
        "weights": [origin.model_dump(mode="json") for origin in report.weights],
        "provenance": report.provenance,
    }


def _task_json(task: TaskReport) -> dict[str, object]:
    return {
        "task": task.task,
        "title": task.title,
        "metric": task.metric.value,
        "invented": task.invented,
        "note": " ".join(task.notes) or None,
        "answers": list(task.answers),
        "currency": task.currency,
        "comparisons": [{**c.model_dump(mode="json"), "device_unit": c.unit} for c in task.comparisons],
        "points": [point_json(task, point) for point in task.points],
        "refusals": [group.model_dump(mode="json") for group in task.refusals],
        "tuned": [search.model_dump(mode="json") for search in task.tuned],
        "axes": [axis.model_dump(mode="json") for axis in task.axes],
        "pairs": [pair.model_dump(mode="json") for pair in task.pairs],
        "scores": _scores_json(task.scores) if task.scores else None,
        "frontiers": [view.model_dump(mode="json") for view in task.frontiers],
        "claims": [family.model_dump(mode="json", by_alias=True) for family in task.claims],
        "groups": [group.model_dump(mode="json") for group in task.groups],
        "target": task.target.model_dump(mode="json", exclude_none=True),
        "guessing": {name.value: value for name, value in task.guessing.items()},
        "unlearned": task.unlearned,
        "good_enough": [answer.model_dump(mode="json") for answer in task.good_enough],
        "recommended": [_recommended_json(task, c) for c in task.comparisons],
        "curves": [curve.model_dump(mode="json") for curve in task.curves],
    }


def _recommended_json(task: TaskReport, comparison: Comparison) -> dict[str, object]:
    rows = recommendations(task, comparison)
    by_budget = [
        {"budget_device_hours": row.cost, "cell": row.point.name, "shown": row.shown} for row in rows
    ]
    return {"comparison": comparison.label, "by_budget": by_budget}


def _scores_json(scores: TaskScores) -> dict[str, object]:
    return {
        **scores.scores.model_dump(mode="json", exclude={"swaps"}),
        "warnings": list(scores.scores.warnings),
        "notes": list(scores.notes),
    }


def _replication_json(replication: Replication) -> dict[str, object]:
    counts = {verdict.value: replication.count(verdict) for verdict in Equivalence}
    rows = [
        {
            **row.published.model_dump(mode="json"),
            "cell": row.cell,
            "comparison": row.comparison,
            "ours": _summary_json(row.ours),
            "difference": row.difference,
            "interval": row.interval,
            "verdict": row.verdict.value,
            "why": row.why,
            "remark": row.remark,
        }
        for row in replication.rows
    ]
    return {**replication.model_dump(mode="json", exclude={"rows"}), **counts, "rows": rows}


def point_json(task: TaskReport, point: Point) -> dict[str, object]:
    return {
        "backbone": point.backbone,
        **point.cell.model_dump(exclude={"task"}),
        "state": point.state.value,
        "reason": point.reason,
        "failed": {kind.value: count for kind, count in point.failed.items()},
        "frontier": point.frontier,
        "comparison": point.comparison,
        "quality": mean_of(point.quality),
        "quality_interval": list(point.quality.interval)
        if point.quality and point.quality.interval
        else None,
        "spread": point.quality.sd if point.quality else None,
        "seeds": point.seeds,
        "planned_seeds": point.planned_seeds,
        "folds": point.folds,
        "device_hours": mean_of(point.device_hours),
        "device_hours_spread": point.device_hours.sd if point.device_hours else None,
        "device_unit": unit_of(task, point),
        "billed_device_hours": point.billed_hours,
        "shared_gpu": point.shared_gpu,
        "trainable_parameters": point.trainable_parameters,
        "total_parameters": point.total_parameters,
        "peak_memory_bytes": point.peak_memory_bytes,
        "tokens_per_second": point.tokens_per_second,
        "frontier_probability": point.frontier_probability,
        "near_frontier_probability": point.near_probability,
        "simultaneous_interval": point.simultaneous and point.simultaneous.model_dump(mode="json"),
        "population_interval": list(point.population_interval) if point.population_interval else None,
        "wall_seconds": mean_of(point.wall_seconds),
        "saved_bytes": point.saved_bytes,
        "money": point.money,
        "energy_kwh": point.energy_kwh,
        "energy_source": point.energy_source and point.energy_source.value,
        "latency_ms": point.latency_ms,
        "saw_in_pretraining": point.saw,
        "tuning_share_device_hours": point.tuning_share,
        "device_hours_with_tuning": point.with_tuning,
        "budget": point.budget,
        "adapted_parameters": point.adapted_parameters,
        "seconds_to_best": point.seconds_to_best,
        "train_rows": list(point.train_rows) if point.train_rows else None,
        "rows_of_a_class": list(point.class_rows) if point.class_rows else None,
        "signatures": {name.value: count for name, count in point.signatures.items()},
        "metrics": {name.value: _summary_json(summary) for name, summary in point.metrics.items()},
    }


def _summary_json(summary: Summary) -> dict[str, object]:
    return {
        "mean": summary.mean,
        "spread": summary.sd,
        "interval": list(summary.interval) if summary.interval else None,
        "seeds": summary.n,
    }


def _totals_json(report: Report) -> dict[str, object]:
    totals = report.totals
    parts = [part for part in Spending.model_fields if part != "device_type"]
    hours = [
        {"device_type": s.device_type, **{f"{part}_device_hours": getattr(s, part) / 3600 for part in parts}}
        for s in totals.spending
    ]
    return {
        "trials": {state.value: number for state, number in totals.trials.items()},
        "refused_cells": totals.refused_cells,
        "attempts": totals.attempts,
        "attempts_without_cost": totals.attempts_without_cost,
        "spending": hours,
    }


def mean_of(summary: Summary | None) -> float | None:
    return summary.mean if summary else None


def unit_of(task: TaskReport, point: Point) -> str | None:
    return next((c.unit for c in task.comparisons if c.label == point.comparison), None)
