"""The points of a task as the composite score takes them."""

from __future__ import annotations

from collections import Counter

from orchestrator.report.results.point import Point
from orchestrator.report.scores.efficiency import Preset, TaskScores, score
from orchestrator.report.scores.set_dependence import ScorePoint
from orchestrator.report.task_report import TaskReport

LEAST = 3  # points: of two, min-max scaling leaves the numbers 0 and 1

_TO_BEST = (
    "training time: up to the best evaluation (training seconds × best step / steps), mean over the seeds"
)
_USEFUL = (
    "training time: useful device-seconds of a trial, mean over the seeds, because not every trial says at "
    "which step it was best"
)
_COUNTED = "trained parameters: without the head, as the paper counts; under full fine-tuning the whole model"
_MEANS = "order: by means over the seeds; how much it depends on the seeds is not examined"


def points_to_score(task: TaskReport) -> tuple[list[ScorePoint], tuple[str, ...]]:
    """The points for `holistic`, and what their columns are. Empty where no point has all the figures.

    Time counts only within one comparison key: of several, the one with the most points is taken.
    """
    usable = [
        p for p in task.points if p.device_hours and p.total_parameters and p.adapted_parameters is not None
    ]
    labels = Counter(p.comparison for p in usable)
    if not labels:
        return [], ()
    label = min(labels, key=lambda name: (-labels[name], name or ""))
    points = [p for p in usable if p.comparison == label]
    to_best = all(p.seconds_to_best is not None for p in points)
    notes = [_TO_BEST if to_best else _USEFUL, _COUNTED, _MEANS]
    if len(labels) > 1:
        notes.append(f"points: those measured on {label}; {len(usable) - len(points)} others are left out")
    return [_point(p, to_best) for p in points], tuple(notes)


def _point(point: Point, to_best: bool) -> ScorePoint:
    useful = point.device_hours.mean * 3600 if point.device_hours else 0.0
    seconds = point.seconds_to_best if to_best and point.seconds_to_best is not None else useful
    values = {
        "seconds": seconds,
        "trainable_parameters": float(point.adapted_parameters or 0),
        "total_parameters": float(point.total_parameters or 0),
    }
    return ScorePoint(name=point.name, values=values)


def scores_of(task: TaskReport) -> TaskScores | None:
    """The paper's final score, from three points on."""
    points, notes = points_to_score(task)
    if len(points) < LEAST:
        return None
    return TaskScores(scores=score(Preset.HOLISTIC, points), notes=notes)
