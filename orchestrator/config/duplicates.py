"""One file under two names of a task: its rows would be trained on and scored, or counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import Problem

_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # sha256 of nothing
_ORDER = {f"reader.files.{split}": place for place, split in enumerate(Split)}


@dataclass(frozen=True)
class NamedFile:
    """A file or directory that a task names. `digest`: of its content, with the places of files in it."""

    key: str  # in the task, say reader.files.train
    name: str  # as the task has it
    path: Path
    digest: str


def duplicates(where: str, files: Iterable[NamedFile]) -> Iterator[Problem]:
    """A complaint for each name that gives rows of an earlier one: by a link, by equal content, or as a
    directory and what is in it. Empty files have no rows: their reader refuses them."""
    named = sorted(
        ((file, file.path.resolve()) for file in files if file.key in _ORDER and file.digest != _EMPTY),
        key=lambda item: _ORDER[item[0].key],
    )
    for number, (file, path) in enumerate(named):
        for earlier, place in named[:number]:
            if problem := _overlap(earlier, place, file, path):
                yield _complaint(where, earlier, file, problem)
                break


def _overlap(one: NamedFile, path: Path, other: NamedFile, place: Path) -> str | None:
    if path == place or one.digest == other.digest:
        return "hold the same, byte for byte"
    if path.is_relative_to(place):
        return f"overlap: {one.name} is a part of {other.name}"
    if place.is_relative_to(path):
        return f"overlap: {other.name} is a part of {one.name}"
    return None


def _complaint(where: str, one: NamedFile, other: NamedFile, problem: str) -> Problem:
    if one.key == other.key:
        return Problem(where, one.key, f"{one.name} and {other.name} {problem}", "remove one of the two")
    problem = f"{other.name} and {one.name} of {one.key.removeprefix('reader.')} {problem}"
    split = other.key.rpartition(".")[2]
    fix = f"name files that belong to {split} alone, or remove it and hold out a part of train"
    return Problem(where, other.key, problem, fix)
