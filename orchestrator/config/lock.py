"""The lock file beside a sweep file: the commits of its hub backbones, and the digests of their files.

A branch of a hub repository can move. The first staging resolves it to a commit once; runs use that commit,
here and on every machine that has the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field

from orchestrator.config.file_kinds import FileKind, taken_for
from orchestrator.config.problems import validate
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.record import Record
from orchestrator.errors import Problem

_HEAD = """\
# Written by `frontier stage`: the commits of the backbones of this sweep, and the sha256 of their
# files. Keep it under version control with the sweep. Remove an entry to have its revision resolved again.
"""


class LockedBackbone(Record):
    hub: str
    asked: str  # the revision in the catalogue
    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    files: dict[str, str]  # sha256 by name


class Lock(Record):
    backbones: dict[str, LockedBackbone] = Field(default_factory=dict)  # by name


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
    lines = [_HEAD, "backbones:\n" if lock.backbones else "backbones: {}\n"]
    for name, entry in sorted(lock.backbones.items()):
        lines.append(f"  {json.dumps(name)}:\n")
        lines += [f"    {key}: {json.dumps(getattr(entry, key))}\n" for key in ("hub", "asked", "commit")]
        files = sorted(entry.files.items())
        lines.append("    files:\n" if files else "    files: {}\n")
        lines += [f"      {json.dumps(file)}: {json.dumps(sha)}\n" for file, sha in files]
    write_atomically(path, "".join(lines))


def locked(spec: BackboneSpec, lock: Lock) -> BackboneSpec:
    """Return the backbone at its locked commit. As it is where it is no hub's, has no entry, or the catalogue
    names another repository or revision by now than the entry was made for."""
    entry = lock.backbones.get(spec.name)
    if entry is None or not isinstance(spec.weights, HubWeights):
        return spec
    if (spec.weights.hub, spec.weights.revision) != (entry.hub, entry.asked):
        return spec
    return spec.model_copy(update={"weights": spec.weights.model_copy(update={"revision": entry.commit})})


def lock_entry(spec: BackboneSpec, lock: Lock) -> LockedBackbone | None:
    """Return the entry that holds for a backbone of a resolved sweep."""
    entry = lock.backbones.get(spec.name)
    if entry is None or not isinstance(spec.weights, HubWeights):
        return None
    return entry if (spec.weights.hub, spec.weights.revision) == (entry.hub, entry.commit) else None


def unlocked(backbones: Iterable[BackboneSpec], lock: Lock) -> tuple[BackboneSpec, ...]:
    """Return the hub backbones without a valid entry in the lock."""
    return tuple(b for b in backbones if isinstance(b.weights, HubWeights) and lock_entry(b, lock) is None)


def with_staged(
    lock: Lock, backbones: Iterable[BackboneSpec], staged: Mapping[str, tuple[str, dict[str, str]]]
) -> Lock:
    """Return the lock with entries for backbones that it lacked, from (commit, sha256 by file) by name."""
    new = {
        b.name: LockedBackbone(
            hub=b.weights.hub, asked=b.weights.revision, commit=staged[b.name][0], files=staged[b.name][1]
        )
        for b in unlocked(backbones, lock)
        if b.name in staged and isinstance(b.weights, HubWeights)
    }
    return Lock(backbones=lock.backbones | new)
