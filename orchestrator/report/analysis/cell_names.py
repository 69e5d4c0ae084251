"""Cells in sentences: beside the name of one with failed seeds stands how many failed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from orchestrator.report.results.failed_seeds import failure_note, note_on_several
from orchestrator.report.results.point import Point

Marks = Mapping[str, str]  # by the name that a sentence uses; names without failed seeds are not in it


def marks_of(points: Iterable[Point]) -> dict[str, str]:
    """Return the notes on failed seeds by cell; points of one name are taken together."""
    return _marks((point.name, point) for point in points)


def level_marks(points: Iterable[Point]) -> dict[str, str]:
    """Return the notes on failed seeds by model, domain and method, whose cells are taken together."""
    return _marks((level, p) for p in points for level in {p.cell.model, p.cell.domain, p.cell.method})


def _marks(points: Iterable[tuple[str, Point]]) -> dict[str, str]:
    by_name: defaultdict[str, list[Point]] = defaultdict(list)
    for name, point in points:
        by_name[name].append(point)
    marks = {
        name: note_on_several([(p.failed, p.trainings) for p in group]) for name, group in by_name.items()
    }
    return {name: text for name, text in marks.items() if text}


def marked(sentence: str, marks: Marks) -> str:
    """Say how many seeds failed after the first mention of each cell."""
    if not marks:
        return sentence
    names = "|".join(re.escape(name) for name in sorted(marks, key=len, reverse=True))
    mentioned: set[str] = set()

    def with_note(match: re.Match[str]) -> str:
        name = match.group()
        if name in mentioned:
            return name
        mentioned.add(name)
        return f"{name} ({marks[name]})"

    return re.sub(rf"(?<![\w/.-])(?:{names})(?![\w/-]|\.\w)", with_note, sentence)


def named_cell(point: Point) -> str:
    """Return the name of a cell for a table, with its note on failed seeds."""
    note = failure_note(point.failed, point.trainings)
    return f"{point.name} ({note})" if note else point.name
