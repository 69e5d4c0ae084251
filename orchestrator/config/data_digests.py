"""Digest the files of a task, and report those that are missing or duplicate."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.config.corpus_digests import CorpusDigests, digest_of
from orchestrator.config.duplicates import NamedFile, duplicates
from orchestrator.config.layouts import looked_for
from orchestrator.config.lock import Lock, lock_entry
from orchestrator.config.sweep import ResolvedSweep
from orchestrator.contracts import hub
from orchestrator.contracts.files import INTO_DATA_DIR, leads_out
from orchestrator.contracts.generated import made_digest
from orchestrator.contracts.readers import ArrowReader, HubReader, MimicNotesReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import ConfigError, Problem


def digest_data(task: TaskSpec, data_dir: Path, own_cache: Path | None = None) -> str | None:
    """Return the digest of the files of one task, None if one is missing. Raises ConfigError if the task
    names the same file twice. `own_cache` as in `digest_inputs`."""
    if (digest := _named_digest(task)) is not None:
        return digest
    files, doubled = CorpusDigests(own_cache), list[Problem]()
    digest = _digest(task, data_dir, files, [], doubled)
    files.save()
    if doubled:
        raise ConfigError(doubled)
    return digest


def _named_digest(task: TaskSpec) -> str | None:
    """Return the digest of data that no file of the user holds: what is generated, and data sets of a hub,
    which are identified by their revision and by what is read of it, so that staging makes no result
    stale."""
    if task.made is not None:
        return made_digest(task)
    if isinstance(task.reader, HubReader):
        return _hub_digest(task.reader)
    return None


def _hub_digest(reader: HubReader) -> str:
    names = [(split, name) for split, files in sorted(reader.files.items()) for name in files]
    origin = [("hub", reader.dataset), ("revision", reader.revision), ("config", reader.config or "")]
    return digest_of([*origin, *names])


def is_data_here(task: TaskSpec, lock: Lock, cache: Path) -> bool:
    """Return whether the data can be read without asking a hub."""
    if not isinstance(task.reader, HubReader):
        return True
    entry = lock_entry(task, lock)
    root = hub.snapshot_of(cache, task.reader.dataset, task.reader.revision, "datasets")
    return entry is not None and root is not None and all((root / name).is_file() for name in entry.files)


def sweep_data_digest(
    task: TaskSpec,
    sweep: ResolvedSweep,
    files: CorpusDigests,
    missing: list[Problem],
    doubled: list[Problem],
) -> str | None:
    if (digest := _named_digest(task)) is not None:
        return digest
    if sweep.data_dir is None or not sweep.data_dir.is_dir():
        problem = "is not set" if sweep.data_dir is None else f"is no directory, got {str(sweep.data_dir)!r}"
        fix = "give data_dir=PATH, or data_dir in the sweep file: below it lie the tasks' files"
        missing.append(Problem(str(sweep.file), "data_dir", problem, fix))
        return None
    return _digest(task, sweep.data_dir, files, missing, doubled)


def unread_data(task: TaskSpec, sweep: ResolvedSweep, files: CorpusDigests) -> int:
    """Return how many bytes of the task's files `sweep_data_digest` would read."""
    root = sweep.data_dir
    if not task.reads_data_dir or root is None:
        return 0
    paths = (root / name for _, name in _places(task))
    return sum(files.unread(path, _ignored(task)) for path in paths if not leads_out(path, root))


def _digest(
    task: TaskSpec, data_dir: Path, files: CorpusDigests, missing: list[Problem], doubled: list[Problem]
) -> str | None:
    absent = list[Problem]()
    named_files = _named_files(task, data_dir, files, absent)
    doubled += duplicates(f"task {task.name}", named_files)
    missing += absent
    return None if absent else _files_digest(named_files)


def _files_digest(files: Iterable[NamedFile]) -> str:
    return digest_of((file.key.rpartition(".")[2], file.digest) for file in files)


def _named_files(
    task: TaskSpec, data_dir: Path, files: CorpusDigests, absent: list[Problem]
) -> list[NamedFile]:
    """Return the files below the data directory that the task names and that exist."""
    named_files = []
    for at, name in _places(task):
        if leads_out(data_dir / name, data_dir):
            absent.append(_linked_away(task, at, data_dir / name))
            continue
        digest = files.of(data_dir / name, _ignored(task))
        if digest is None:
            absent.append(_no_file(task, at, data_dir / name))
        else:
            named_files.append(NamedFile(at, name, data_dir / name, digest))
    return named_files


def _places(task: TaskSpec) -> Iterator[tuple[str, str]]:
    """Yield each file's key in the task and its path below the data directory. Splits that are held out of
    train have none."""
    for split, names in sorted(task.reader.files.items()):
        yield from ((f"reader.files.{split}", name) for name in names)
    if isinstance(task.reader, MimicNotesReader) and task.reader.groups is not None:
        yield "reader.groups", task.reader.groups


def _no_file(task: TaskSpec, at: str, path: Path) -> Problem:
    problem = f"there is no file or directory {path}"
    if others := looked_for(task):
        problem += f"; {others}"
    return Problem(f"task {task.name}", at, problem, _instead(path))


def _linked_away(task: TaskSpec, at: str, path: Path) -> Problem:
    problem = f"a link leads from {path} out of data_dir"
    return Problem(f"task {task.name}", at, problem, INTO_DATA_DIR)


def _instead(path: Path) -> str:
    """Return the fix for a missing file. Others in its folder may be named after patients, so that only what
    has the same name but for case and suffix is quoted. No folder is meant by a name with a suffix."""
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    others = [p.name for p in beside if not (path.suffix and p.is_dir())]
    same = [name for name in others if _stem(name) == _stem(path.name)]
    if same:
        return f"did you mean {same[0]!r}?"
    close = len(difflib.get_close_matches(path.name, others, n=len(others) or 1, cutoff=0.6))
    near = f"; {close} of the {len(others)} names in that folder are close to it" if close else ""
    return f"put it there, or correct data_dir{near}"


def _stem(name: str) -> str:
    return name.casefold().partition(".")[0]


def _ignored(task: TaskSpec) -> str:
    """Return the pattern of files that the library that wrote a folder leaves in it and the reader never
    opens."""
    return "cache-*" if isinstance(task.reader, ArrowReader) else ""
