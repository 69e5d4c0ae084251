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
    """Yield a problem for each name that gives rows of an earlier one: by a link, by equal content, or as a
    directory and what is in it. Empty files have no rows: their reader refuses them."""
    named = sorted(
        ((file, file.path.resolve()) for file in files if file.key in _ORDER and file.digest != _EMPTY),
        key=lambda item: _ORDER[item[0].key],
    )
    for number, (file, path) in enumerate(named):
        for earlier, earlier_path in named[:number]:
            if problem := _overlap(earlier, earlier_path, file, path):
                yield _duplicate(where, earlier, file, problem)
                break


def _overlap(left: NamedFile, left_path: Path, right: NamedFile, right_path: Path) -> str | None:
    if left_path == right_path or left.digest == right.digest:
        return "hold the same, byte for byte"
    if left_path.is_relative_to(right_path):
        return f"overlap: {left.name} is a part of {right.name}"
    if right_path.is_relative_to(left_path):
        return f"overlap: {right.name} is a part of {left.name}"
    return None


def _duplicate(where: str, first: NamedFile, second: NamedFile, problem: str) -> Problem:
    if first.key == second.key:
        return Problem(where, first.key, f"{first.name} and {second.name} {problem}", "remove one of the two")
    problem = f"{second.name} and {first.name} of {first.key.removeprefix('reader.')} {problem}"
    split = second.key.rpartition(".")[2]
    fix = f"name files that belong to {split} alone, or remove it and hold out a part of train"
    return Problem(where, second.key, problem, fix)
