"""What reading a task's data has counted, kept beside the digests of its files, so that a plan can say it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split

_FILE = "split-counts.json"
ByLength = dict[int, dict[Split, SplitCounts]]  # by the length in tokens that texts are cut to
_KNOWN: TypeAdapter[dict[str, dict[Split, SplitCounts]]] = TypeAdapter(dict[str, dict[Split, SplitCounts]])


def known_counts(cache: Path, task: TaskSpec, data: str | None, lengths: Iterable[int]) -> ByLength:
    """What was counted of the same data read in the same way; empty where nobody has read it yet."""
    if data is None:
        return {}
    known = _read(cache)
    found = {length: known.get(_key(task, data, length)) for length in lengths}
    return {length: counts for length, counts in found.items() if counts is not None}


def remember_counts(cache: Path, task: TaskSpec, data: str, counts: Mapping[int, object]) -> ByLength:
    """Keeps and gives what a worker has counted, as JSON by length."""
    read = {length: _KNOWN.validate_python({"": found})[""] for length, found in counts.items()}
    known = _read(cache) | {_key(task, data, length): found for length, found in read.items()}
    write_atomically(cache / _FILE, _KNOWN.dump_json(known).decode())
    return read


def _read(cache: Path) -> dict[str, dict[Split, SplitCounts]]:
    try:
        return _KNOWN.validate_json((cache / _FILE).read_bytes())
    except (OSError, ValidationError):
        return {}  # a cache: what cannot be read is counted again


def _key(task: TaskSpec, data: str, length: int) -> str:
    content = [task.model_dump_json(), data, length]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]
