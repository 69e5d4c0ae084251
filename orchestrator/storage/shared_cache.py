"""Weights and made data in the store, `<storage>/cache/`: staged once, fetched by each machine."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec, HubWeights, MadeWeights, RandomWeights
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import StorageError
from orchestrator.storage import directories
from orchestrator.storage.store import Store

_HERE, _LOCKS = Path(), "locks"


def item_of(spec: BackboneSpec | TaskSpec) -> str | None:
    """Return the item's directory below a cache; None for items that are never cached: own files, folders,
    packages.

    A hub's backbone or data set needs a known commit, as it has after staging.
    """
    if isinstance(spec, TaskSpec):
        if spec.made is not None:
            return made_root(_HERE, spec).as_posix()
        if isinstance(spec.reader, HubReader):
            repository = layout.hub_repository(spec.reader.dataset, "datasets")
            return f"{repository}/snapshots/{spec.reader.revision}"
        return None
    weights = spec.weights
    if isinstance(weights, MadeWeights | RandomWeights):
        return made_root(_HERE, weights).as_posix()
    if isinstance(weights, HubWeights):
        return f"{layout.hub_repository(weights.hub)}/snapshots/{weights.revision}"
    return None


def _grows(item: str) -> bool:
    """Return whether sweeps may add files to the item: a data set has only those that a task reads."""
    return item.startswith(layout.hub_repository("", "datasets"))


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Among the processes of this machine. The lock goes with the process that holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class SharedCache:
    """`local` is the cache of this machine."""

    def __init__(self, store: Store, local: Path) -> None:
        self._store, self._local = store, local

    def holds(self, item: str, expected: Mapping[str, str] | None = None) -> bool:
        """Return whether the store has the complete item, as the lock says: `expected` is sha256 by file. A
        data set may be there with the files of other splits only.

        Raises StorageError if it has other files.
        """
        stored = directories.digests(self._store, self._key(item))
        if stored is None:
            return False
        expected = expected or {}
        absent = set() if not _grows(item) else expected.keys() - stored.keys()
        wrong = sorted(name for name in expected.keys() - absent if stored.get(name) != expected[name])
        if wrong:
            raise StorageError(
                f"{self._key(item)}/{wrong[0]}: is not the file that the lock file names by its sha256\n"
                "    -> delete that directory from the store and stage again"
            )
        return not absent

    def files(self, item: str) -> dict[str, str]:
        """Return sha256 by file of what the store has of it; empty where that is not whole."""
        return directories.digests(self._store, self._key(item)) or {}

    def push(self, item: str) -> None:
        put = directories.add_to_tree if _grows(item) else directories.put_tree
        put(self._store, self._key(item), self._local / item)

    def pull(self, item: str) -> bool:
        """Once a machine, however many trials start on it: the others wait for the first. Every file is
        checked against the sha256 of its staging, and is read-only from then on. What another sweep has added
        to a data set is fetched as well. False where it is not in the store."""
        directory = self._local / item
        if directory.is_dir() and not _grows(item):
            return True
        with _alone(self._local / _LOCKS / item.replace("/", "--")):
            if directory.is_dir():
                new = directories.fetch_missing(self._store, self._key(item), directory)
            elif directories.fetch_tree(self._store, self._key(item), directory):
                new = [path for path in directory.rglob("*") if path.is_file()]
            else:
                return False
        for file in new:
            file.chmod(file.stat().st_mode & 0o555)
        return True

    def need(self, spec: BackboneSpec | TaskSpec) -> None:
        """Fetch what the spec names. Raises StorageError if it is neither here nor in the store."""
        item = item_of(spec)
        if item is not None and not self.pull(item):
            raise StorageError(
                f"{spec.name}: {self._key(item)} is not in the store\n"
                "    -> run `frontier stage` with this sweep file"
            )

    def _key(self, item: str) -> str:
        return f"{layout.CACHE}/{item}"
