"""Directories in a store. One is complete when its marker is there, which is written last and lists all files
with their sha256; whatever lacks a marker does not exist for a reader."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.contracts.files import draft, sha256_of
from orchestrator.errors import StorageError
from orchestrator.storage.store import Store

MARKER = "complete.json"


class DamagedTreeError(StorageError):
    """The files of a complete directory are not those that its marker lists."""


def complete(keys: Iterable[str]) -> list[str]:
    """Return the directories among these keys that are complete."""
    return sorted(key.removesuffix(f"/{MARKER}") for key in keys if key.endswith(f"/{MARKER}"))


def digests(store: Store, key: str) -> dict[str, str] | None:
    """sha256 by file of the directory, as its marker says; None: not complete."""
    marker = store.get(f"{key}/{MARKER}")
    return None if marker is None else dict(json.loads(marker)["files"])


def put_tree(store: Store, key: str, directory: Path) -> None:
    """Store a directory. Raises FileNotFoundError if a file disappears meanwhile: the copy then stays
    incomplete."""
    file_digests = _digests_below(directory)
    there = digests(store, key)
    if there == file_digests:
        return
    if there is not None:
        store.delete(f"{key}/{MARKER}")
    for name in file_digests:
        store.put(f"{key}/{name}", directory / name)
    store.put(f"{key}/{MARKER}", _marker(file_digests))


def _digests_below(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): sha256_of(path) for path in files}


def _marker(file_digests: Mapping[str, str]) -> bytes:
    return json.dumps({"files": file_digests}, indent=1).encode()


def add_to_tree(store: Store, key: str, directory: Path) -> None:
    """Store the files of a directory beside those that the stored one has already. It stays complete
    meanwhile, so that machines that read it are not disturbed."""
    files = _digests_below(directory)
    there = digests(store, key) or {}
    new = [name for name, digest in files.items() if there.get(name) != digest]
    if not new:
        return
    for name in new:
        store.put(f"{key}/{name}", directory / name)
    there = digests(store, key) or {}  # another machine may have added others
    store.put(f"{key}/{MARKER}", _marker(there | files))


def fetch_missing(store: Store, key: str, directory: Path) -> list[Path]:
    """Fetch the files that the stored directory has and an existing `directory` lacks; return their paths.
    Each appears whole, by rename. Empty where the store has no complete one. Raises DamagedTreeError as
    `fetch_tree` does."""
    expected = digests(store, key) or {}
    lacking = {name: digest for name, digest in expected.items() if not (directory / name).is_file()}
    if not lacking:
        return []
    with draft(directory) as temporary:
        temporary.mkdir()
        if not _fetch_files(store, key, lacking, temporary):
            return []
        for name in lacking:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(directory / name)
    return [directory / name for name in lacking]


def fetch_tree(store: Store, key: str, directory: Path) -> bool:
    """`directory` appears whole, by rename; False where the store has no complete one.

    Raises DamagedTreeError where the content of a file is not what the marker says.
    """
    expected = digests(store, key)
    if expected is None:
        return False
    if directory.is_dir():
        return True
    with draft(directory) as temporary:
        temporary.mkdir()
        if not _fetch_files(store, key, expected, temporary):
            return False
        try:
            temporary.rename(directory)
        except OSError:
            if not directory.is_dir():  # another process was first: its copy is the same
                raise
    return True


def _fetch_files(store: Store, key: str, digests: Mapping[str, str], draft: Path) -> bool:
    for name, digest in digests.items():
        path = draft / name
        if draft.resolve() not in path.resolve().parents:
            raise DamagedTreeError(f"{key}/{MARKER}: names a file outside its directory\n    -> {_REMEDY}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not store.fetch(f"{key}/{name}", path):
            return False  # it is being deleted
        if sha256_of(path) != digest:
            raise DamagedTreeError(f"{key}/{name}: is not what its marker says\n    -> {_REMEDY}")
    return True


_REMEDY = "delete that directory from the store; what lay there is made or staged again"


def delete_tree(store: Store, key: str, keys: Iterable[str]) -> None:
    """Delete the directory, its marker first. `keys` holds those of the directory, and may hold others."""
    store.delete(f"{key}/{MARKER}")
    for other in keys:
        if other.startswith(f"{key}/"):
            store.delete(other)
