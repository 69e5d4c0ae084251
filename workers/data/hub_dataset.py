"""Stage a data set of a Hugging Face hub: its card and the Parquet files that a task reads, by commit."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.contracts import hub
from orchestrator.contracts.files import sha256_of
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import DataError
from workers.data.hub import NotFetchedError, Repository, files_of, snapshot
from workers.data.readers.hub_files import CARD, parquet_below, parquet_files, read_card

_SHOWN = 12  # hex digits


@dataclass(frozen=True)
class StagedDataset:
    """`commit` and `files` (sha256 by path) of one of which not all files were locked yet."""

    root: Path
    state: str
    commit: str | None = None
    files: dict[str, str] = field(default_factory=dict)


def dataset_root(task: TaskSpec, reader: HubReader, cache: Path) -> Path:
    """Return the folder of the staged revision. Raises DataError if there is none."""
    root = hub.snapshot_of(cache, reader.dataset, reader.revision, "datasets")
    if root is None:
        problem = f"{reader.dataset} at revision {reader.revision} is not staged"
        raise DataError(f"task {task.name}", None, problem, "run `frontier stage` with this sweep file")
    return root


def stage_dataset(
    task: TaskSpec,
    reader: HubReader,
    cache: Path,
    locked: Mapping[str, str] | None,
    *,
    extended: bool = False,
) -> StagedDataset:
    """Fetch what is missing, and hash all of it: the files are read in whole anyway. `extended`: the task
    reads more than `locked` (sha256 by path) names. Raises DataError if the files are not available, or
    differ from `locked`."""
    repository = Repository(
        "dataset",
        reader.dataset,
        reader.revision,
        key="reader.dataset",
        revision_key="reader.revision",
        instead="name files of your own with format: parquet",
    )
    if locked is None or extended:
        added = _stage_unlocked(task, reader, repository, cache)
        known = {name: sha for name, sha in (locked or {}).items() if name in added.files}
        _check(task, added.root, known, added.files)
        return added
    staged = hub.snapshot_of(cache, reader.dataset, reader.revision, "datasets")
    present = staged is not None and all((staged / name).is_file() for name in locked)
    root = staged if present and staged else _fetched(task, repository, cache, [], list(locked))
    _check(task, root, locked, _digests(root, locked))
    return StagedDataset(root, "present" if present else "fetched")


def _stage_unlocked(task: TaskSpec, reader: HubReader, repository: Repository, cache: Path) -> StagedDataset:
    before = hub.snapshot_of(cache, reader.dataset, reader.revision, "datasets")
    held = set() if before is None else set(parquet_below(before))
    root = _fetched(task, repository, cache, [CARD], [])
    present = files_of(repository, root.name) or parquet_below(root)
    card = read_card(root)
    splits = [name for many in reader.files.values() for name in many]
    names = {path for name in splits for path in parquet_files(reader, name, present, card)}
    root = _fetched(task, repository, cache, [CARD], sorted(names))
    files = _digests(root, names | {CARD})
    state = "present" if before == root and names <= held else "fetched"
    return StagedDataset(root, state, root.name, files)


def _fetched(
    task: TaskSpec, repository: Repository, cache: Path, optional: list[str], needed: list[str]
) -> Path:
    patterns = [glob.escape(name) for name in (*optional, *needed)]
    try:
        return snapshot(repository, cache, patterns, needed=needed, fetch=True)
    except NotFetchedError as failed:
        problem, fix = failed.problem, failed.fix
    raise DataError(f"task {task.name}", None, problem, fix)


def _digests(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of those files that are there."""
    return {name: sha256_of(root / name) for name in sorted(names) if (root / name).is_file()}


def _check(task: TaskSpec, root: Path, locked: Mapping[str, str], actual: Mapping[str, str]) -> None:
    """Both: sha256 by path."""
    for name, digest in sorted(locked.items()):
        path, there = root / name, actual.get(name)
        if there != digest:
            problem = "is missing" if there is None else f"has sha256 {there[:_SHOWN]}…"
            raise DataError(
                f"task {task.name}",
                None,
                f"{path} {problem}, expected {digest[:_SHOWN]}… as in the lock file",
                f"remove {root.parents[1]} and stage again; or, if this data is what you want, remove its "
                "entry in the lock file",
            )
