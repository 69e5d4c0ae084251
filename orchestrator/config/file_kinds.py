"""What a file is that was given in another's place, judged by the keys that mark each kind."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import Problem


class FileKind(StrEnum):
    SWEEP = "a sweep file"
    TASK = "a task of a catalogue"
    BACKBONE = "a backbone of a catalogue"
    METHOD = "a method of a catalogue"
    PRICES = "a price book"
    DEVICE = "a device of a catalogue"
    LOCK = "a lock file"
    SHEET = "what is known of published results"
    RECORD = "the record of a sweep that has run"
    KUBERNETES = "a Kubernetes object"


class _Marks(NamedTuple):
    keys: frozenset[str]
    least: int  # of the keys, how many a file of the kind has at least
    fix: str


def _marks(keys: str, fix: str, least: int | None = None) -> _Marks:
    marks = frozenset(keys.split())
    return _Marks(marks, least or len(marks), fix)


_ENTRY = "move it to CATALOGUE/{0}/, and name it in `{0}` of a sweep file"
_MARKS = {
    FileKind.SWEEP: _marks("models domains methods tasks", "give it to `frontier plan`", least=2),
    FileKind.RECORD: _marks("written_at frontier_version trials", "name the sweep: frontier status NAME"),
    FileKind.TASK: _marks("kind reader metric", _ENTRY.format("tasks"), least=2),
    FileKind.BACKBONE: _marks(
        "architecture weights", "move it to CATALOGUE/backbones/, and name its model in a sweep file"
    ),
    FileKind.METHOD: _marks("settings", _ENTRY.format("methods")),
    FileKind.PRICES: _marks("currency devices", "set `prices` of a sweep file to its path"),
    FileKind.DEVICE: _marks("products memory_gib", "move it to CATALOGUE/devices/"),
    FileKind.LOCK: _marks("backbones", "give the sweep file that it belongs to: NAME.yaml beside NAME.lock"),
    FileKind.SHEET: _marks("protocol tables", "give its table: frontier report SWEEP --against NAME.csv"),
    FileKind.KUBERNETES: _marks("apiVersion kind", "give it to `frontier doctor --manifests`"),
}
BY_DIRECTORY = {
    "backbones": FileKind.BACKBONE,
    "methods": FileKind.METHOD,
    "tasks": FileKind.TASK,
    "prices": FileKind.PRICES,
    "devices": FileKind.DEVICE,
}


def taken_for(raw: Mapping[str, object], expected: FileKind, where: str) -> list[Problem]:
    """Return one problem where the keys are those of another kind more than of the expected one."""
    candidates = [kind for kind in _MARKS if _likeness(raw, kind) >= _MARKS[kind].least]
    best = max(candidates, key=lambda kind: _likeness(raw, kind), default=expected)
    if _likeness(raw, best) <= _likeness(raw, expected):
        return []
    fix = _MARKS[best].fix
    if (best, expected) == (FileKind.TASK, FileKind.SWEEP) and (sweep := _sweep_of(Path(where))) is not None:
        fix = f"give the sweep file beside its folder: {shlex.quote(str(sweep))}"
    return [Problem(where, "", f"expected {expected}, got {best}", fix)]


def _sweep_of(task: Path) -> Path | None:
    """Return the sweep file that `frontier init` wrote with a task."""
    beside = task.parent.with_name("sweep.yaml")
    return beside if task.parent.name == "tasks" and beside.is_file() else None


def _likeness(raw: Mapping[str, object], kind: FileKind) -> int:
    return len(_MARKS[kind].keys & raw.keys())
