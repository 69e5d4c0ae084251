"""The paths of a sweep file: made absolute, and refused where no file system takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.config.catalogue import is_price_file
from orchestrator.config.grid import Grid
from orchestrator.config.problems import FieldProblem
from orchestrator.config.source import KeySource
from orchestrator.contracts import layout
from orchestrator.errors import ConfigError, Problem
from orchestrator.storage.remote import is_uri
from orchestrator.text_files import user_path

LONGEST_NAME = 255  # bytes of one name, on every file system of note
LONGEST_PATH = 4095  # bytes that Linux takes
_SHORTEN = "give a shorter path"


def anchor(raw: dict[str, object], directory: Path) -> None:
    """Make the paths of a file absolute. What is no path is left for validation to find."""
    data_dir, prices, catalogues = raw.get("data_dir"), raw.get("prices"), raw.get("catalogues")
    if isinstance(data_dir, str):
        raw["data_dir"] = str(user_path(directory, data_dir))
    if isinstance(prices, str) and is_price_file(prices):
        raw["prices"] = str(user_path(directory, prices))
    if isinstance(catalogues, list):
        raw["catalogues"] = [
            str(user_path(directory, item)) if isinstance(item, str) else item for item in catalogues
        ]


def too_long(path: Path | str) -> str | None:
    """Return what is too long about a path, None where nothing is."""
    longest = max((len(os.fsencode(part)) for part in Path(path).parts), default=0)
    if longest > LONGEST_NAME:
        return f"holds a name of {longest:,} bytes, and file systems take at most {LONGEST_NAME}"
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        return f"is a path of {length:,} bytes, and the system takes at most {LONGEST_PATH:,}"
    return None


def overlong(raw: dict[str, object], cwd: Path) -> list[FieldProblem]:
    """Return a problem for each path that is too long for a file system."""
    return [
        FieldProblem.at(path, problem, _SHORTEN)
        for path, value in _paths(raw, cwd)
        if (problem := too_long(value))
    ]


def check_storage(storage: Path, source: KeySource) -> Iterator[Problem]:
    """Yield a problem where no directory can be made at `storage`, which is absolute."""
    for directory in (storage, *storage.parents):
        if directory.is_symlink():
            problem = f"{directory} is a link that leads nowhere"
        elif directory.is_dir():
            return
        elif directory.exists():
            problem = f"{directory} is a file"
        else:
            continue
        yield Problem(source.of("storage"), "storage", problem, "name a directory, or a path to a new one")
        return


def make_storage(storage: Path, source: KeySource) -> None:
    """Make the directory of a sweep's storage. Raises ConfigError if the system refuses, as below /proc."""
    try:
        storage.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        problem = f"{storage} cannot be made ({refused.strerror})"
        fix = "name a directory, or a path to a new one"
        raise ConfigError([Problem(source.of("storage"), "storage", problem, fix)]) from None


def check_directory_names(grid: Grid, directory: Path, source: KeySource) -> Iterator[Problem]:
    """Yield a problem for each axis with a name that cannot be a directory's, or one for the whole path.
    `directory`: the sweep's own."""
    cells = [cell.cell for cell in grid.cells]
    for axis, names in (
        ("models", {cell.model for cell in cells}),
        ("domains", {cell.domain for cell in cells}),
        ("methods", {cell.method for cell in cells}),
        ("tasks", {cell.task for cell in cells}),
    ):
        longest = max(names, key=len, default="")
        if problem := too_long(longest):
            shortened = f"{longest[:20]}…"
            yield Problem(source.of(axis), axis, f"the name {shortened} {problem}", "rename the entry")
            return
    longest = max((cell.name for cell in cells), key=len, default="")
    if problem := too_long(f"{directory}/{layout.TRIALS}/{longest}{'x' * _BELOW_A_TRIAL}"):
        yield Problem(source.of("storage"), "storage", f"with its longest trial {problem}", _SHORTEN)


_BELOW_A_TRIAL = 200  # characters of seed, attempt, checkpoint and file


def _paths(raw: dict[str, object], cwd: Path) -> Iterator[tuple[tuple[str | int, ...], Path]]:
    storage, prices = raw.get("storage"), raw.get("prices")
    data_dir, catalogues = raw.get("data_dir"), raw.get("catalogues")
    if isinstance(storage, str) and not is_uri(storage):
        yield ("storage",), user_path(cwd, storage)
    if isinstance(prices, str) and is_price_file(prices):
        yield ("prices",), Path(prices)
    if isinstance(data_dir, str):
        yield ("data_dir",), Path(data_dir)
    if isinstance(catalogues, list):
        for number, item in enumerate(catalogues):
            if isinstance(item, str):
                yield ("catalogues", number), Path(item)
