"""A sweep's directory on this machine, and the same sweep in the store.

Records are written once and the first writer wins: a machine that was cut off and comes back late cannot
change what was written in its place. An attempt's outcome follows all else that the attempt left, and its
bill the outcome, so a reader that sees them sees the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_atomically
from orchestrator.errors import StorageError
from orchestrator.storage import directories
from orchestrator.storage.store import Store, claim

_AT_ONCE = 8  # requests


class Mirror:
    """`directory` is the sweep's, on this machine; its name is the sweep's key in the store."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store, self.directory = store, directory
        self._sweep = directory.name

    # From the store.

    def pull(self, trial: str | None = None) -> None:
        """Pull the records of all trials, or of one, and of the sweep; no checkpoints and no models."""
        below = PurePosixPath(self._sweep, layout.TRIALS, trial or "").as_posix()
        records = self._records(self.store.listing(below))
        if len(records) == 1:
            for directory, sizes in records.items():
                self._pull_attempt(directory, sizes)
        elif records:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pull") as pool:
                for done in [pool.submit(self._pull_attempt, *item) for item in records.items()]:
                    done.result()
        if trial is None:
            self._pull_sweep()

    def _pull_sweep(self) -> None:
        for name in layout.OF_SWEEP:
            content = self.store.get(f"{self._sweep}/{name}")
            path = self.directory / name
            if content is not None and not (path.exists() and path.read_bytes() == content):
                write_atomically(path, content)

    def _records(self, listing: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """Sizes of records by name, by key of the attempt's directory."""
        sizes: dict[str, dict[str, int]] = {}
        for key, size in listing.items():
            path = PurePosixPath(key)
            if path.name in layout.RECORDS and path.parent.name.startswith("attempt-"):
                sizes.setdefault(path.parent.as_posix(), {})[path.name] = size
        return sizes

    def _pull_attempt(self, key: str, sizes: Mapping[str, int]) -> None:
        """Pull what is missing here. Events only grow: the longer file is the later one, and an outcome that
        is new here means that they may have grown since they were listed."""
        local = self._local(key)
        ended = layout.OUTCOME in sizes and not (local / layout.OUTCOME).exists()
        for name in layout.RECORDS:
            path = local / name
            if name not in sizes:
                continue
            if path.exists() and not (name == layout.EVENTS and (ended or sizes[name] > path.stat().st_size)):
                continue
            content = self.store.get(f"{key}/{name}")
            if content is None or (path.exists() and path.stat().st_size >= len(content)):
                continue
            write_atomically(path, content)

    def pull_checkpoint(self, trial: str, fingerprint: str) -> None:
        """Pull the newest complete checkpoint of the trial under the fingerprint, if the store's is newer
        than those here. The trial's records must be here."""
        for _ in range(layout.KEPT_CHECKPOINTS + 1):  # one that is deleted while it is read has a newer one
            below = PurePosixPath(self._sweep, layout.TRIALS, trial).as_posix()
            steps = _checkpoints(self.store.listing(below), lambda key: self._is_of(key, fingerprint))
            removed = False
            for _, key in reversed(steps):
                try:
                    if directories.fetch_tree(self.store, key, self._local(key)):
                        return
                    removed = True
                except directories.DamagedTreeError:
                    continue
            if not removed:
                return

    def _is_of(self, key: str, fingerprint: str) -> bool:
        """Return whether a checkpoint's attempt was ordered under the fingerprint."""
        order = self._local(PurePosixPath(key).parents[1].as_posix()) / layout.ORDER
        try:
            return bool(json.loads(order.read_bytes())["trial"]["fingerprint"] == fingerprint)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def pull_model(self, attempt: Path) -> bool:
        """Fetch the weights of an attempt; return whether they are here. Raises DamagedTreeError."""
        model = attempt / layout.MODEL
        return directories.fetch_tree(self.store, self.key(model), model)

    # To the store.

    def push_record(self, name: str) -> None:
        """One of the sweep itself: `layout.OF_SWEEP`."""
        self.store.put(f"{self._sweep}/{name}", (self.directory / name).read_bytes())

    def push_report(self) -> None:
        directory = self.directory / layout.REPORT
        for path in sorted(p for p in directory.iterdir() if p.is_file()):
            self.store.put(f"{self._sweep}/{layout.REPORT}/{path.name}", path)

    def claim_attempt(self, directory: Path, order: bytes) -> bool:
        """Return whether the number is this machine's; if not, another one has taken it."""
        return claim(self.store, f"{self.key(directory)}/{layout.ORDER}", order)

    def push_events(self, directory: Path) -> None:
        path = directory / layout.EVENTS
        if path.exists():
            self.store.put(f"{self.key(directory)}/{layout.EVENTS}", path.read_bytes())

    def push_checkpoint(self, directory: Path) -> None:
        """Push the newest checkpoint of an attempt if the store lacks it; there, too, the newest two are
        kept."""
        own = newest_checkpoint(directory)
        if own is None:
            return
        key = f"{self.key(directory)}/{layout.CHECKPOINTS}"
        listing = self.store.listing(key)
        newest = f"{key}/{own.name}"
        there = _checkpoints(listing)
        if newest not in [checkpoint for _, checkpoint in there]:
            try:
                directories.put_tree(self.store, newest, own)
            except FileNotFoundError:
                return  # the worker has dropped it meanwhile: it has a newer one, or is done
            there.append((0, newest))
        for _, old in there[: -layout.KEPT_CHECKPOINTS]:
            directories.delete_tree(self.store, old, listing)

    def push_ended(self, directory: Path) -> bool:
        """All that an ended attempt left. False where another machine closed it in the meantime: its records
        are then here instead of this one's."""
        key, outcome = self.key(directory), directory / layout.OUTCOME
        records = [
            path for path in (directory / layout.EXAMPLES, outcome, directory / layout.BILL) if path.exists()
        ]
        self.push_events(directory)
        self.push_checkpoint(directory)
        if (directory / layout.MODEL).is_dir():
            directories.put_tree(self.store, f"{key}/{layout.MODEL}", directory / layout.MODEL)
        settled = [self._settle(path, f"{key}/{path.name}") for path in records]
        if _finished(outcome):
            self._drop_checkpoints(directory.parent)
        return all(settled)

    def _settle(self, path: Path, key: str) -> bool:
        if claim(self.store, key, path.read_bytes()):
            return True
        content = self.store.get(key)
        if content is None:
            raise StorageError(
                f"{key}: refuses to be written and is not there\n    -> the same command again"
            )
        write_atomically(path, content)
        return False

    def _drop_checkpoints(self, trial: Path) -> None:
        """Delete the checkpoints of a finished trial, incomplete ones too: it is never resumed."""
        listing = self.store.listing(self.key(trial))
        for _, key in _checkpoints(listing):
            directories.delete_tree(self.store, key, listing)
        for key in listing:
            if PurePosixPath(key).parents[1].name == layout.CHECKPOINTS:
                self.store.delete(key)

    def push_leftovers(self) -> None:
        """Push what earlier drivers and attempts on this machine could not."""
        listing = self.store.listing(f"{self._sweep}/{layout.TRIALS}")
        for bill in sorted((self.directory / layout.TRIALS).glob(f"{layout.ATTEMPTS}/{layout.BILL}")):
            directory, key = bill.parent, self.key(bill.parent)
            if f"{key}/{layout.BILL}" in listing and _outcome_there(directory, key, listing):
                continue
            if self.store.get(f"{key}/{layout.ORDER}") == _bytes(directory / layout.ORDER):
                self.push_ended(directory)

    def key(self, path: Path) -> str:
        return (self._sweep / path.relative_to(self.directory)).as_posix()

    def _local(self, key: str) -> Path:
        return self.directory / PurePosixPath(key).relative_to(self._sweep)


def _checkpoints(keys: Iterable[str], accepts: Callable[[str], bool] | None = None) -> list[tuple[int, str]]:
    """Complete ones, by steps."""
    checkpoints = []
    for key in directories.complete(keys):
        path = PurePosixPath(key)
        step = layout.checkpoint_step(path.name)
        if step is not None and path.parent.name == layout.CHECKPOINTS and (accepts is None or accepts(key)):
            checkpoints.append((step, key))
    return sorted(checkpoints)


def newest_checkpoint(directory: Path) -> Path | None:
    """Return the newest checkpoint of an attempt on this machine."""
    checkpoints = layout.checkpoints(directory / layout.CHECKPOINTS)
    return checkpoints[-1][1] if checkpoints else None


def _finished(outcome: Path) -> bool:
    content = _bytes(outcome)
    return content is not None and json.loads(content)["state"] == "finished"


def _outcome_there(directory: Path, key: str, listing: Mapping[str, int]) -> bool:
    return f"{key}/{layout.OUTCOME}" in listing or not (directory / layout.OUTCOME).exists()


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
