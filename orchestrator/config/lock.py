"""The lock file beside a sweep file: the commits of what its hub has for it, and the digests of the files.

A branch of a hub repository can move. The first staging resolves it to a commit once; runs use that commit,
here and on every machine that has the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from orchestrator.config.file_kinds import FileKind, taken_for
from orchestrator.config.problems import validate
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.record import Record
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import Problem

_HEAD = """\
# Written by `frontier stage`: the commits of the backbones and data sets of this sweep that a hub has, and
# the sha256 of their files. Keep it under version control with the sweep. Remove an entry to have its
# revision resolved again.
"""

S = TypeVar("S", BackboneSpec, TaskSpec)


class LockedRepository(Record):
    hub: str
    asked: str  # the revision in the catalogue
    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    files: dict[str, str]  # sha256 by path in the repository
    reads: tuple[str, ...] = ()  # what the files are of: splits of a data set, as `read_of` names them


class Lock(Record):
    backbones: dict[str, LockedRepository] = Field(default_factory=dict)  # by name
    tasks: dict[str, LockedRepository] = Field(default_factory=dict)  # by name, those with reader hub

    def of(self, spec: BackboneSpec | TaskSpec) -> LockedRepository | None:
        """Return the entry under the name of the spec, for whichever repository it was made."""
        return (self.backbones if isinstance(spec, BackboneSpec) else self.tasks).get(spec.name)


def lock_path(sweep_file: Path) -> Path:
    """Return `paper.lock` beside `paper.yaml`."""
    return sweep_file.with_suffix(".lock")


def read_lock(path: Path, where: str | None = None) -> tuple[Lock, list[Problem]]:
    """Return the lock, empty if the file is missing or broken, and the problems of the file."""
    if not path.exists():
        return Lock(), []
    where = where or str(path)
    content, problems = read_mapping(path, where)
    if not problems:
        problems = taken_for(content.raw, FileKind.LOCK, where)
    if problems:
        return Lock(), problems
    lock, wrong = validate(Lock, content.raw, where)
    return lock or Lock(), content.placed(wrong, where)


def write_lock(path: Path, lock: Lock) -> None:
    """Sorted, so that equal locks are equal files. Raises OSError."""
    lines = [_HEAD, *_section("backbones", lock.backbones)]
    if lock.tasks:
        lines += _section("tasks", lock.tasks)
    write_atomically(path, "".join(lines))


def _section(name: str, entries: Mapping[str, LockedRepository]) -> list[str]:
    lines = [f"{name}:\n" if entries else f"{name}: {{}}\n"]
    for key, entry in sorted(entries.items()):
        lines.append(f"  {json.dumps(key)}:\n")
        lines += [
            f"    {field}: {json.dumps(getattr(entry, field))}\n" for field in ("hub", "asked", "commit")
        ]
        if entry.reads:
            lines.append(f"    reads: {json.dumps(entry.reads)}\n")
        files = sorted(entry.files.items())
        lines.append("    files:\n" if files else "    files: {}\n")
        lines += [f"      {json.dumps(file)}: {json.dumps(sha)}\n" for file, sha in files]
    return lines


def repository_of(spec: BackboneSpec | TaskSpec) -> tuple[str, str] | None:
    """Return the repository and revision on a hub; None where the spec names none."""
    if isinstance(spec, TaskSpec):
        reader = spec.reader
        if spec.invented or not isinstance(reader, HubReader):
            return None
        return reader.dataset, reader.revision
    return (spec.weights.hub, spec.weights.revision) if isinstance(spec.weights, HubWeights) else None


def locked(spec: S, lock: Lock) -> S:
    """Return the backbone or task at its locked commit. As it is where it is no hub's, has no entry, or the
    catalogue names another repository or revision by now than the entry was made for."""
    entry = lock.of(spec)
    if entry is None or repository_of(spec) != (entry.hub, entry.asked):
        return spec
    key, source = ("reader", spec.reader) if isinstance(spec, TaskSpec) else ("weights", spec.weights)
    return spec.model_copy(update={key: source.model_copy(update={"revision": entry.commit})})


def read_of(spec: BackboneSpec | TaskSpec) -> tuple[str, ...]:
    """Return the splits or paths that a task reads of a data set, `CONFIG: SPLIT` where it names a config.
    Empty for a backbone, of which every file is read."""
    if not isinstance(spec, TaskSpec) or not isinstance(spec.reader, HubReader):
        return ()
    config = "" if spec.reader.config is None else f"{spec.reader.config}: "
    return tuple(sorted({config + name for names in spec.reader.files.values() for name in names}))


def entry_at_commit(spec: BackboneSpec | TaskSpec, lock: Lock) -> LockedRepository | None:
    """Return the entry of the commit that a backbone or task of a resolved sweep has. It may lack splits that
    the task reads."""
    entry = lock.of(spec)
    return entry if entry is not None and repository_of(spec) == (entry.hub, entry.commit) else None


def lock_entry(spec: BackboneSpec | TaskSpec, lock: Lock) -> LockedRepository | None:
    """Return the entry that names all that a backbone or task of a resolved sweep reads."""
    entry = entry_at_commit(spec, lock)
    return entry if entry is not None and set(read_of(spec)) <= set(entry.reads) else None


def unlocked(specs: Iterable[S], lock: Lock) -> tuple[S, ...]:
    """Return those of a hub of which the lock does not name all that is read."""
    return tuple(s for s in specs if repository_of(s) is not None and lock_entry(s, lock) is None)


def with_staged(lock: Lock, specs: Iterable[S], staged: Mapping[str, tuple[str, dict[str, str]]]) -> Lock:
    """Return the lock with what it lacked of the specs, from (commit, sha256 by file) by name."""
    added: dict[str, dict[str, LockedRepository]] = {"backbones": {}, "tasks": {}}
    for spec in unlocked(specs, lock):
        if spec.name in staged:
            entry = _entry(spec, lock, *staged[spec.name])
            added["tasks" if isinstance(spec, TaskSpec) else "backbones"][spec.name] = entry
    return Lock(backbones=lock.backbones | added["backbones"], tasks=lock.tasks | added["tasks"])


def _entry(spec: BackboneSpec | TaskSpec, lock: Lock, commit: str, files: dict[str, str]) -> LockedRepository:
    """Return the entry of a staged repository, with what that of the same commit has already."""
    repository = repository_of(spec)
    assert repository is not None
    reads = read_of(spec)
    old = entry_at_commit(spec, lock)
    if old is None or old.commit != commit:
        return LockedRepository(
            hub=repository[0], asked=repository[1], commit=commit, files=files, reads=reads
        )
    merged = tuple(sorted({*old.reads, *reads}))
    return old.model_copy(update={"files": old.files | files, "reads": merged})
