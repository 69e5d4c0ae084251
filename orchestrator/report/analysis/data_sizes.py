"""How large the parts of a task are. Classes are counted and not named: their names may be a corpus's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.contracts.caveats import Counted
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.report.results.point import Point, fold_count
from orchestrator.units import count_range

_MOST_CLASSES = 8


def data_line(
    task: TaskSpec, counted: Counted, classes: Mapping[str, int], points: Sequence[Point]
) -> str | None:
    """`Data: 400 texts in train, 100 in dev, 922 in test, of 48 patients. Rows of the 3 classes in train:
    200, 150, 50.` None where no trial has counted them."""
    sizes = {split: [c.examples for c in counted[split]] for split in Split if counted.get(split)}
    if not sizes:
        return None
    noun = "sentences" if task.kind is TaskKind.NER else "texts"
    first, *others = sizes.items()
    begin = f"Data: {count_range((min(first[1]), max(first[1])))} {noun} in {first[0]}"
    text = ", ".join(
        [begin, *(f"{count_range((min(counts), max(counts)))} in {split}" for split, counts in others)]
    )
    folds = fold_count(points)
    text += _of_units(points) if folds is None else _of_folds(folds, points)
    rows = sorted((count for count in classes.values() if count), reverse=True)
    if not rows or task.kind is TaskKind.NER or len(set(sizes.get(Split.TRAIN, ()))) > 1:
        return f"{text}."
    classes_or_labels = "labels" if task.kind is TaskKind.MULTILABEL else "classes"
    if len(rows) > _MOST_CLASSES:
        return f"{text}. The {len(rows)} {classes_or_labels} have {rows[-1]:,} to {rows[0]:,} rows in train."
    each = ", ".join(f"{count:,}" for count in rows)
    return f"{text}. Rows of the {len(rows)} {classes_or_labels} in train: {each}."


def _of_folds(folds: int, points: Sequence[Point]) -> str:
    """Count what all folds of a seed test together."""
    tested = [p.simultaneous for p in points if p.simultaneous and p.simultaneous.documents is not None]
    text = f" of each of {folds} folds"
    return f"{text}, which together test {tested[0].documents:,} {tested[0].unit}" if tested else text


def _of_units(points: Sequence[Point]) -> str:
    """Count the patients or documents that the test examples belong to."""
    intervals = [p.simultaneous for p in points if p.simultaneous and p.simultaneous.documents is not None]
    if not intervals or not intervals[0].unit.is_known:
        return ""
    return f", of {intervals[0].documents:,} {intervals[0].unit}"
