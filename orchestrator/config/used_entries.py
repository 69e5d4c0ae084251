"""Set aside the mistakes of catalogue entries that a command does not use: they must not block it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.config.catalogue import Catalogue
from orchestrator.errors import Problem

Used = Mapping[str, Collection[str]]  # by kind (tasks, methods, …) the names of entries
NOTHING: Used = {"tasks": (), "methods": (), "prices": (), "devices": ()}


def apart(
    problems: Iterable[Problem], used: Used, catalogue: Catalogue
) -> tuple[list[Problem], list[Problem]]:
    """Return the problems that concern the used entries, and those that do not.

    All problems of a kind concern a name that the catalogue lacks: it may be that of a broken entry. Kinds
    that `used` lacks are used whole, as backbones are, whose files are not named after models and domains.
    """
    known: dict[str, Collection[str]] = {kind: getattr(catalogue, kind) for kind in NOTHING}
    known["backbones"] = [spec.name for spec in catalogue.backbones.values()]
    concern, others = list[Problem](), list[Problem]()
    for problem in problems:
        path = Path(problem.where)
        names = used.get(path.parent.name)
        unused = names is not None and path.stem not in names and set(names) <= set(known[path.parent.name])
        (others if unused else concern).append(problem)
    return concern, others


def names_with_problems(problems: Iterable[Problem], kind: str) -> set[str]:
    """Return the names of the entries of a kind that have problems."""
    paths = [Path(problem.where) for problem in problems]
    return {path.stem for path in paths if path.parent.name == kind}


def unused_notes(problems: Sequence[Problem]) -> list[str]:
    """Return a sentence for each unused entry with mistakes."""
    counts: dict[str, int] = {}
    for problem in problems:
        counts[problem.where] = counts.get(problem.where, 0) + 1
    return [
        f"{file} is not used here and has {count} mistake{'s' * (count != 1)}"
        for file, count in counts.items()
    ]
