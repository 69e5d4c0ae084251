"""What reading a task's data has counted, kept beside the digests of its files, so that a plan can say it:
examples and cuts, and tokens by the tokenizers of backbones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from orchestrator.contracts import sameness, split_counts
from orchestrator.contracts.code_digests import code_digest
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.token_counts import TokenCounts
from orchestrator.contracts.vocabulary import Split

_FILE, _TOKENS_FILE = "split-counts.json", "token-counts.json"
ByLength = dict[int, dict[Split, SplitCounts]]  # by the length in tokens that texts are cut to
_KNOWN_TOKENS: TypeAdapter[dict[str, TokenCounts]] = TypeAdapter(dict[str, TokenCounts])
_KNOWN: TypeAdapter[dict[str, dict[Split, SplitCounts]]] = TypeAdapter(dict[str, dict[Split, SplitCounts]])


def known_counts(directory: Path, task: TaskSpec, data: str | None, lengths: Iterable[int]) -> ByLength:
    """Return what the same code has counted in the same data, read in the same way, as kept in `directory`;
    empty if nothing has been counted yet."""
    if data is None:
        return {}
    cached = _read(directory)
    by_length = {length: cached.get(_key(task, data, length)) for length in lengths}
    return {length: counts for length, counts in by_length.items() if counts is not None}


def remember_counts(directory: Path, task: TaskSpec, data: str, counts: ByLength) -> None:
    """Keep what a worker has counted. If nothing can be written, it is counted again the next time."""
    cached = _read(directory) | {_key(task, data, length): splits for length, splits in counts.items()}
    with suppress(OSError):
        write_atomically(directory / _FILE, _KNOWN.dump_json(cached).decode())


def known_tokens(
    directory: Path, task: TaskSpec, data: str | None, weights: Mapping[str, str | None]
) -> dict[str, TokenCounts]:
    """Return what tokenizers made of the same texts, by backbone. `weights`: digests by backbone."""
    if data is None:
        return {}
    cached = _read_tokens(directory)
    keys = {name: _tokens_key(task, data, digest) for name, digest in weights.items() if digest is not None}
    return {name: cached[key] for name, key in keys.items() if key in cached}


def remember_tokens(
    directory: Path, task: TaskSpec, data: str, weights: Mapping[str, str], counts: Mapping[str, TokenCounts]
) -> None:
    """Keep what tokenizers made of the texts, as `remember_counts` does."""
    counted = {_tokens_key(task, data, weights[name]): found for name, found in counts.items()}
    cached = _read_tokens(directory) | counted
    with suppress(OSError):
        write_atomically(directory / _TOKENS_FILE, _KNOWN_TOKENS.dump_json(cached).decode())


def _read_tokens(directory: Path) -> dict[str, TokenCounts]:
    try:
        return _KNOWN_TOKENS.validate_json((directory / _TOKENS_FILE).read_bytes())
    except (OSError, ValidationError):
        return {}


def _tokens_key(task: TaskSpec, data: str, weights: str) -> str:
    content = [task.model_dump_json(), data, weights, _code()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _read(directory: Path) -> dict[str, dict[Split, SplitCounts]]:
    try:
        return _KNOWN.validate_json((directory / _FILE).read_bytes())
    except (OSError, ValidationError):
        return {}  # a cache: what cannot be read is counted again


def _key(task: TaskSpec, data: str, length: int) -> str:
    content = [task.model_dump_json(), data, length, _code()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


@cache
def _code() -> str:
    """Return the digest of the code that reads and counts: another version may count differently."""
    package = find_spec("workers")
    worker = [Path(location) for location in (package and package.submodule_search_locations) or ()]
    readers = [file for location in worker for file in (location / "data").rglob("*.py")]
    return code_digest([*readers, Path(str(sameness.__file__)), Path(str(split_counts.__file__))])
