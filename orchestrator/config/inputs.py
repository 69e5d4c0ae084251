"""What the names of a sweep stand for, by content: data, weights, the worker's code, the metrics' version."""

from __future__ import annotations

import ast
import difflib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field

from orchestrator.config.corpus_digests import CorpusDigests, digest_of
from orchestrator.config.duplicates import NamedFile, duplicates
from orchestrator.config.known_counts import known_counts
from orchestrator.config.layouts import looked_for
from orchestrator.config.lock import Lock, lock_entry
from orchestrator.config.sweep import ResolvedSweep
from orchestrator.contracts import layout
from orchestrator.contracts.backbone import (
    BackboneSpec,
    FolderWeights,
    HubWeights,
    MadeWeights,
    PackageWeights,
    RandomWeights,
)
from orchestrator.contracts.files import INTO_DATA_DIR, leads_out, sha256_of, write_atomically
from orchestrator.contracts.generated import code_digest, made_digest
from orchestrator.contracts.record import Record
from orchestrator.contracts.safetensors_files import READ, has_weights
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import ArrowReader, MimicNotesReader, TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, Problem

_CACHE = "file-digests.json"
# Folders of the worker that no result depends on: made inputs carry the digest of `demo` themselves, and the
# checks of a GPU train nothing for a sweep.
_BESIDE_RESULTS = frozenset({"demo", "selfcheck"})


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


def digest_inputs(
    sweep: ResolvedSweep,
    cache: Path,
    own_cache: Path | None = None,
    *,
    hub_token: bool = True,
    at: Callable[[str], None] = lambda item: None,
) -> Inputs:
    """Digests of all that the sweep's cells read. `cache` is a directory in which digests of weights are
    kept, by path, size and time of change, and hub weights once they are staged; `own_cache` one of the
    account's own, for those of corpora. `hub_token`: whether there is one for gated repositories. `at`
    hears what is hashed next, say `mimic-mortality, 2 of 5`. Raises
    OSError where a file is there but unreadable, ConfigError where two files of a task are the same.
    """
    files, missing, doubled = _FileDigests(cache / _CACHE), list[Problem](), list[Problem]()
    corpora = CorpusDigests(own_cache)
    tasks = {cell.task.spec.name: cell.task.spec for cell in sweep.grid.cells}
    backbones = {cell.backbone.name: cell.backbone for cell in sweep.grid.cells}
    items = [*tasks, *backbones]

    def begin(name: str) -> str:
        at(f"{name}, {items.index(name) + 1} of {len(items)}")
        return name

    data = {begin(name): _data_digest(task, sweep, corpora, missing, doubled) for name, task in tasks.items()}
    held = {begin(name): _weights_files(backbone, sweep.lock, files) for name, backbone in backbones.items()}
    weights = {name: _weights_digest(b, held[name], missing) for name, b in backbones.items()}
    if not hub_token:
        missing += [_no_token(b) for b in backbones.values() if b.gated and not _staged(b, cache)]
    files.save()
    corpora.save()
    if doubled:
        raise ConfigError(doubled)
    lengths = lengths_of(sweep)
    counts = {name: known_counts(cache, task, data[name], lengths[name]) for name, task in tasks.items()}
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
    )


def lengths_of(sweep: ResolvedSweep) -> dict[str, tuple[int, ...]]:
    """By task, the lengths in tokens that its cells cut texts to."""
    found: dict[str, set[int]] = {}
    for cell in sweep.grid.cells:
        found.setdefault(cell.task.spec.name, set()).add(cell.recipe.max_length)
    return {name: tuple(sorted(lengths)) for name, lengths in found.items()}


def worker_directory() -> Path:
    """Where the worker's code lies, found without importing it."""
    found = find_spec("workers")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package workers is not installed beside orchestrator")
    return Path(found.submodule_search_locations[0])


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


def digest_data(task: TaskSpec, data_dir: Path, own_cache: Path | None = None) -> str | None:
    """That of the files of one task, None where one is not there. Raises ConfigError where the task names the
    same file twice. `own_cache` as in `digest_inputs`."""
    if task.made is not None:
        return made_digest(task)
    files, absent = CorpusDigests(own_cache), list[Problem]()
    found = _named_files(task, data_dir, files, absent)
    files.save()
    if doubled := list(duplicates(f"task {task.name}", found)):
        raise ConfigError(doubled)
    return None if absent else _files_digest(found)


def _data_digest(
    task: TaskSpec,
    sweep: ResolvedSweep,
    files: CorpusDigests,
    missing: list[Problem],
    doubled: list[Problem],
) -> str | None:
    if task.made is not None:
        return made_digest(task)
    if sweep.data_dir is None or not sweep.data_dir.is_dir():
        problem = "is not set" if sweep.data_dir is None else f"is no directory, got {str(sweep.data_dir)!r}"
        fix = "give data_dir=PATH, or data_dir in the sweep file: below it lie the tasks' files"
        missing.append(Problem(str(sweep.file), "data_dir", problem, fix))
        return None
    absent = list[Problem]()
    found = _named_files(task, sweep.data_dir, files, absent)
    doubled += duplicates(f"task {task.name}", found)
    missing += absent
    return None if absent else _files_digest(found)


def _files_digest(files: Iterable[NamedFile]) -> str:
    return digest_of((file.key.rpartition(".")[2], file.digest) for file in files)


def _named_files(
    task: TaskSpec, data_dir: Path, files: CorpusDigests, absent: list[Problem]
) -> list[NamedFile]:
    """What the task names below its data directory and is there."""
    named = []
    for at, name in _places(task):
        if leads_out(data_dir / name, data_dir):
            absent.append(_linked_away(task, at, data_dir / name))
            continue
        digest = files.of(data_dir / name, _ignored(task))
        if digest is None:
            absent.append(_no_file(task, at, data_dir / name))
        else:
            named.append(NamedFile(at, name, data_dir / name, digest))
    return named


def _places(task: TaskSpec) -> Iterator[tuple[str, str]]:
    """Key in the task, and path below the data directory. Splits that are held out of train have none."""
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
    """The fix where a file is missing. Others in its folder may be named after patients, so that only what
    has the same name but for case and suffix is quoted."""
    others = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    same = [name for name in others if _stem(name) == _stem(path.name)]
    if same:
        return f"did you mean {same[0]!r}?"
    close = len(difflib.get_close_matches(path.name, others, n=len(others) or 1, cutoff=0.6))
    near = f"; {close} of the {len(others)} names in that folder are close to it" if close else ""
    return f"put it there, or correct data_dir{near}"


def _stem(name: str) -> str:
    return name.casefold().partition(".")[0]


def _ignored(task: TaskSpec) -> str:
    """What the library that wrote a folder leaves in it on use, and the reader never opens."""
    return "cache-*" if isinstance(task.reader, ArrowReader) else ""


def _weights_files(backbone: BackboneSpec, lock: Lock, files: _FileDigests) -> dict[str, str]:
    """Return sha256 by name of what a trial reads; empty where that is not known yet, or not here."""
    weights = backbone.weights
    if isinstance(weights, HubWeights):
        entry = lock_entry(backbone, lock)
        return {} if entry is None else dict(entry.files)
    if isinstance(weights, MadeWeights | RandomWeights):
        return {}
    folder = folder_of(weights)
    if folder is None or not folder.is_dir() or not has_weights(folder):
        return {}
    return {p.name: files.of(p) for p in sorted(folder.iterdir()) if p.suffix in READ}


def _weights_digest(backbone: BackboneSpec, held: Mapping[str, str], missing: list[Problem]) -> str | None:
    """Hub weights are named by their revision, staged or not, so that staging makes no result stale."""
    weights = backbone.weights
    if isinstance(weights, MadeWeights | RandomWeights):
        return made_digest(weights)
    if isinstance(weights, HubWeights):
        return digest_of([("hub", weights.hub), ("revision", weights.revision)])
    if not held:
        missing.append(_absent(backbone, folder_of(weights)))
        return None
    return digest_of(held.items())


def _staged(backbone: BackboneSpec, cache: Path) -> bool:
    return not isinstance(backbone.weights, HubWeights) or snapshot_of(backbone.weights, cache) is not None


def snapshot_of(weights: HubWeights, cache: Path) -> Path | None:
    """The folder of a revision, a commit or a name of one, once it is staged."""
    repository = cache / layout.hub_repository(weights.hub)
    name = repository / "refs" / weights.revision
    commit = name.read_text(encoding="utf-8").strip() if name.is_file() else weights.revision
    found = repository / "snapshots" / commit
    return found if found.is_dir() else None


def _no_token(backbone: BackboneSpec) -> Problem:
    assert isinstance(backbone.weights, HubWeights)
    hub = backbone.weights.hub
    problem = f"{hub} is gated, it is not staged, and no token of the hub is set"
    fix = f"ask for access on the page of {hub}, then set HF_TOKEN; or leave this backbone out"
    return Problem(f"backbone {backbone.name}", "weights.hub", problem, fix)


def folder_of(weights: FolderWeights | PackageWeights) -> Path | None:
    """None where the package is not installed."""
    if isinstance(weights, FolderWeights):
        return Path(weights.folder)
    found = find_spec(weights.package)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / weights.folder


def _absent(backbone: BackboneSpec, folder: Path | None) -> Problem:
    where, weights = f"backbone {backbone.name}", backbone.weights
    if isinstance(weights, PackageWeights) and folder is None:
        fix = (
            f"install the extra [{weights.extra}] of this project" if weights.extra else "install the package"
        )
        return Problem(where, "weights.package", f"{weights.package} is not installed", fix)
    fix = "put config.json, the tokenizer's files and *.safetensors there; pickled weights are not read"
    return Problem(where, "weights.folder", f"there is no *.safetensors in {folder}", fix)


class _FileDigests:
    """sha256 of files, remembered while size and time of change stay the same."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changed = False
        try:
            self._known: dict[str, list[object]] = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._known = {}  # a cache: what cannot be read is made again

    def of(self, path: Path) -> str:
        status = os.stat(path)
        stamp: list[object] = [status.st_size, status.st_mtime_ns]
        entry = self._known.get(str(path.resolve()))
        if isinstance(entry, list) and entry[:-1] == stamp:
            return str(entry[-1])
        digest = sha256_of(path)
        self._known[str(path.resolve())] = [*stamp, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        if self._changed:
            write_atomically(self._file, json.dumps(self._known))
