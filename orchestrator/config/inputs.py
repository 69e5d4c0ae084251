"""What the names of a sweep refer to, by content: data, weights, the worker's code, the metrics' version."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field

from orchestrator.config.corpus_digests import CorpusDigests
from orchestrator.config.data_digests import sweep_data_digest, unread_data
from orchestrator.config.known_counts import known_counts, known_tokens
from orchestrator.config.sweep import ResolvedSweep
from orchestrator.config.weights_digests import (
    FileDigests,
    is_staged,
    missing_token,
    unread_weights,
    weights_digest,
    weights_files,
)
from orchestrator.contracts.code_digests import code_digest
from orchestrator.contracts.record import Record
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.token_counts import TokenCounts
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, Problem

_CACHE = "file-digests.json"
# Folders of the worker that no result depends on: made inputs carry the digest of `demo` themselves, and the
# checks of a GPU train nothing for a sweep.
_BESIDE_RESULTS = frozenset({"demo", "exported", "selfcheck"})


class Inputs(Record):
    """Digests, None for what is not there. A plan shows what is missing; a run refuses to start on it."""

    data: dict[str, str | None]  # by task
    weights: dict[str, str | None]  # by backbone
    code: str  # of the worker
    metrics: str  # version of the metric definitions
    # By backbone, sha256 of its files by name: as they are, or for those of a hub as the lock says. Empty for
    # weights that are made.
    weights_files: dict[str, dict[str, str]] = Field(default_factory=dict)
    missing: tuple[Problem, ...] = ()
    # By task and length, what is known of its splits; of the files as they are, before any cap of a recipe.
    counts: dict[str, dict[int, dict[Split, SplitCounts]]] = Field(default_factory=dict)
    # By task and backbone, what its tokenizer made of a sample of the texts.
    tokens: dict[str, dict[str, TokenCounts]] = Field(default_factory=dict)


@dataclass
class _Reading:
    """What is hashed, and how many bytes of all that must be are read."""

    at: Callable[[str, int, int], None]
    item: str = ""
    read: int = 0
    total: int = 0

    def begin(self, item: str) -> None:
        self.item = item
        self.hear(0)

    def hear(self, count: int) -> None:
        self.read += count
        self.at(self.item, self.read, self.total)


def digest_inputs(
    sweep: ResolvedSweep,
    cache: Path,
    own_cache: Path | None = None,
    *,
    hub_token: bool = True,
    at: Callable[[str, int, int], None] = lambda item, read, total: None,
) -> Inputs:
    """Digests of all that the sweep's cells read. `cache` is a directory in which digests of weights are
    kept, by path, size and time of change, and hub weights once they are staged; `own_cache` one of the
    account's own, for those of corpora. `hub_token`: whether there is one for gated repositories. `at`
    hears what is hashed, say `mimic-mortality, 2 of 5`, and how many bytes of how many are read. Raises
    OSError where a file is there but unreadable, ConfigError where two files of a task are the same.
    """
    missing, doubled = list[Problem](), list[Problem]()
    reading = _Reading(at)
    files, corpora = FileDigests(cache / _CACHE, reading.hear), CorpusDigests(own_cache, reading.hear)
    tasks = {cell.task.spec.name: cell.task.spec for cell in sweep.grid.cells}
    backbones = {cell.backbone.name: cell.backbone for cell in sweep.grid.cells}
    items = [*tasks, *backbones]

    reading.total = sum(unread_data(task, sweep, corpora) for task in tasks.values())
    reading.total += sum(unread_weights(backbone, files) for backbone in backbones.values())

    def begin(name: str) -> str:
        reading.begin(f"{name}, {items.index(name) + 1} of {len(items)}")
        return name

    data = {
        begin(name): sweep_data_digest(task, sweep, corpora, missing, doubled) for name, task in tasks.items()
    }
    held = {begin(name): weights_files(backbone, sweep.lock, files) for name, backbone in backbones.items()}
    weights = {name: weights_digest(b, held[name], missing) for name, b in backbones.items()}
    if not hub_token:
        missing += [missing_token(b) for b in backbones.values() if b.gated and not is_staged(b, cache)]
    files.save()
    corpora.save()
    if doubled:
        raise ConfigError(doubled)
    lengths = lengths_of(sweep)
    counts = {name: known_counts(cache, task, data[name], lengths[name]) for name, task in tasks.items()}
    tokens = {name: known_tokens(cache, task, data[name], weights) for name, task in tasks.items()}
    worker = worker_directory()
    files_of_worker = worker.rglob("*.py")
    code = code_digest(p for p in files_of_worker if _BESIDE_RESULTS.isdisjoint(p.relative_to(worker).parts))
    return Inputs(
        data=data,
        weights=weights,
        code=code,
        metrics=metrics_version(worker),
        weights_files=held,
        missing=tuple(dict.fromkeys(missing)),
        counts=counts,
        tokens=tokens,
    )


def lengths_of(sweep: ResolvedSweep) -> dict[str, tuple[int, ...]]:
    """Return, by task, the lengths in tokens that its cells cut texts to."""
    by_task: dict[str, set[int]] = {}
    for cell in sweep.grid.cells:
        by_task.setdefault(cell.task.spec.name, set()).add(cell.recipe.max_length)
    return {name: tuple(sorted(lengths)) for name, lengths in by_task.items()}


def worker_directory() -> Path:
    """Return where the worker's code is, without importing it."""
    package = find_spec("workers")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the package workers is not installed beside orchestrator")
    return Path(package.submodule_search_locations[0])


def metrics_version(worker: Path) -> str:
    """`VERSION` of the worker's metrics, read without importing them. Raises LookupError where it is not."""
    tree = ast.parse((worker / "metrics.py").read_bytes())
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == "VERSION" for t in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant):
                return str(value.value)
    raise LookupError("workers/metrics.py defines no VERSION")
