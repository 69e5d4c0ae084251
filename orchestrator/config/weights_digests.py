"""Digest the weights of a backbone by what a trial reads, and report those that are missing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from orchestrator.config.corpus_digests import digest_of
from orchestrator.config.lock import Lock, lock_entry
from orchestrator.contracts import hub
from orchestrator.contracts.backbone import (
    BackboneSpec,
    FolderWeights,
    HubWeights,
    MadeWeights,
    PackageWeights,
    RandomWeights,
)
from orchestrator.contracts.files import sha256_of, write_atomically
from orchestrator.contracts.generated import made_digest, made_root
from orchestrator.contracts.safetensors_files import READ, has_weights
from orchestrator.errors import Problem


def weights_files(backbone: BackboneSpec, lock: Lock, files: FileDigests) -> dict[str, str]:
    """Return sha256 by name of what a trial reads; empty where that is not known yet, or not here."""
    if isinstance(backbone.weights, HubWeights):
        entry = lock_entry(backbone, lock)
        return {} if entry is None else dict(entry.files)
    return {path.name: files.of(path) for path in _read_here(backbone)}


def unread_weights(backbone: BackboneSpec, files: FileDigests) -> int:
    """Return how many bytes of weights `weights_files` would read."""
    return sum(map(files.unread, _read_here(backbone)))


def _read_here(backbone: BackboneSpec) -> list[Path]:
    """Return the files that a trial reads of weights which the user or a package keeps."""
    weights = backbone.weights
    if not isinstance(weights, FolderWeights | PackageWeights):
        return []
    folder = folder_of(weights)
    if folder is None or not folder.is_dir() or not has_weights(folder):
        return []
    return [path for path in sorted(folder.iterdir()) if path.suffix in READ]


def weights_digest(backbone: BackboneSpec, held: Mapping[str, str], missing: list[Problem]) -> str | None:
    """Return the digest of the weights. Those of a hub are identified by their revision, so that staging
    makes no result stale."""
    weights = backbone.weights
    if isinstance(weights, MadeWeights | RandomWeights):
        return made_digest(weights)
    if isinstance(weights, HubWeights):
        return digest_of([("hub", weights.hub), ("revision", weights.revision)])
    if not held:
        missing.append(_absent(backbone, folder_of(weights)))
        return None
    return digest_of(held.items())


def is_staged(backbone: BackboneSpec, cache: Path) -> bool:
    return not isinstance(backbone.weights, HubWeights) or staged_weights(backbone.weights, cache) is not None


def are_weights_here(backbone: BackboneSpec, cache: Path) -> bool:
    """Return whether the weights are on this machine: generated, staged or in their folder."""
    weights = backbone.weights
    if isinstance(weights, MadeWeights | RandomWeights):
        return made_root(cache, weights).is_dir()
    if isinstance(weights, HubWeights):
        return staged_weights(weights, cache) is not None
    return folder_of(weights) is not None


def staged_weights(weights: HubWeights, cache: Path) -> Path | None:
    """Return the folder of a staged revision (a commit, or a name of one), None until it is staged."""
    return hub.snapshot_of(cache, weights.hub, weights.revision)


def missing_token(backbone: BackboneSpec) -> Problem:
    assert isinstance(backbone.weights, HubWeights)
    name = backbone.weights.hub
    problem = f"{name} is gated, it is not staged, and no token of the hub is set"
    fix = f"ask for access on the page of {name}, then set HF_TOKEN; or leave this backbone out"
    return Problem(f"backbone {backbone.name}", "weights.hub", problem, fix)


def folder_of(weights: FolderWeights | PackageWeights) -> Path | None:
    """Return the folder of the weights, None if the package is not installed."""
    if isinstance(weights, FolderWeights):
        return Path(weights.folder)
    package = find_spec(weights.package)
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / weights.folder


def _absent(backbone: BackboneSpec, folder: Path | None) -> Problem:
    where, weights = f"backbone {backbone.name}", backbone.weights
    if isinstance(weights, PackageWeights) and folder is None:
        fix = (
            f"install the extra [{weights.extra}] of this project" if weights.extra else "install the package"
        )
        return Problem(where, "weights.package", f"{weights.package} is not installed", fix)
    fix = "put config.json, the tokenizer's files and *.safetensors there; pickled weights are not read"
    return Problem(where, "weights.folder", f"there is no *.safetensors in {folder}", fix)


class FileDigests:
    """sha256 of files, remembered while size and time of change stay the same. `hear`: as `sha256_of` takes
    it."""

    def __init__(self, file: Path, hear: Callable[[int], None] | None = None) -> None:
        self._file, self._hear = file, hear
        self._changed = False
        try:
            self._known: dict[str, list[object]] = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._known = {}  # a cache: what cannot be read is made again

    def of(self, path: Path) -> str:
        stamp, kept = self._kept(path)
        if kept is not None:
            return kept
        digest = sha256_of(path, self._hear)
        self._known[str(path.resolve())] = [*stamp, digest]
        self._changed = True
        return digest

    def unread(self, path: Path) -> int:
        """Return how many bytes `of` would read: 0 where it remembers the digest."""
        stamp, kept = self._kept(path)
        return 0 if kept is not None else stamp[0]

    def _kept(self, path: Path) -> tuple[list[int], str | None]:
        status = os.stat(path)
        stamp = [status.st_size, status.st_mtime_ns]
        entry = self._known.get(str(path.resolve()))
        return stamp, str(entry[-1]) if isinstance(entry, list) and entry[:-1] == stamp else None

    def save(self) -> None:
        if self._changed:
            write_atomically(self._file, json.dumps(self._known))
