"""What a sweep's attempts have left that neither a report nor a later run reads: checkpoints, weights, logs.

Records (`layout.RECORDS`) are never among it: every attempt is part of the bill.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.storage.directories import delete_tree
from orchestrator.storage.mirror import Mirror
from orchestrator.tracking.events import last_sign_of_life
from orchestrator.tracking.ledger import Ledger

_SILENT_SECONDS = 3600.0  # an attempt whose end is not recorded may be running somewhere until then


class LeftoverKind(StrEnum):
    CHECKPOINTS = "checkpoints of finished trials"
    SUPERSEDED = "checkpoints and weights of superseded attempts"
    DROPPED = "whole models that keep_weights drops"
    LOGS = "what libraries printed in superseded attempts"
    DRAFTS = "exports that were interrupted"
    PROBES = "probes"


@dataclass(frozen=True)
class Leftover:
    """A folder that can go. `size`: bytes, on this machine or, if the sweep is there, in its store."""

    kind: LeftoverKind
    path: Path
    size: int


def leftovers(ledger: Ledger, now: float) -> list[Leftover]:
    """Return the folders that can go, in the order of the plan. `now`: Unix time.

    A trial that is not finished keeps everything: it resumes from its checkpoints, and where its settings
    have changed, its earlier result may be wanted again. A finished one keeps the weights of its result.
    Raises StorageError, LedgerError."""
    size = _sizes(ledger)
    records = [*ledger.trials(), *ledger.candidates()]
    folders = [item for record in records for item in _of_trial(record, now)]
    folders += [(LeftoverKind.DROPPED, path) for path in _dropped(ledger, records)]
    folders += [
        (LeftoverKind.SUPERSEDED, Path(attempt.directory) / layout.CHECKPOINTS)
        for record in ledger.removed()
        for attempt in record.attempts
        if not _may_run(attempt, now)
    ]
    sized = [Leftover(kind, path, size(path)) for kind, path in folders]
    drafts = ledger.directory.glob(f".{layout.MODEL}.*.tmp")  # of a driver that was killed; only ever here
    sized += [Leftover(LeftoverKind.DRAFTS, path, size_on_disk(path)) for path in drafts]
    return [item for item in sized if item.size]


def _of_trial(record: TrialRecord, now: float) -> Iterator[tuple[LeftoverKind, Path]]:
    decisive, finished = record.decisive, record.state is TrialState.FINISHED
    for attempt in record.attempts:
        directory = Path(attempt.directory)
        is_current = attempt.fingerprint == record.planned.fingerprint
        if not finished or _may_run(attempt, now):
            continue
        if is_current and attempt is decisive:
            yield LeftoverKind.CHECKPOINTS, directory / layout.CHECKPOINTS
            continue
        kind = LeftoverKind.CHECKPOINTS if is_current else LeftoverKind.SUPERSEDED
        yield kind, directory / layout.CHECKPOINTS
        yield LeftoverKind.SUPERSEDED, directory / layout.MODEL
        yield LeftoverKind.LOGS, directory / layout.SENSITIVE


def _dropped(ledger: Ledger, records: Iterable[TrialRecord]) -> Iterator[Path]:
    """Yield what the driver has chosen to drop, and could not delete, and what is half deleted."""
    weights, methods = ledger.weights(), ledger.sweep().methods
    for record in records:
        for attempt in record.attempts:
            yield Path(attempt.directory) / f"{layout.MODEL}{layout.DROPPED}"
        attempt_kept = record.decisive
        if (
            weights is not None
            and attempt_kept is not None
            and weights.attempts.get(record.name) == attempt_kept.attempt
            and saved_for_frontier(attempt_kept, methods[record.planned.cell.method])
        ):
            yield Path(attempt_kept.directory) / layout.MODEL


def saved_for_frontier(attempt: AttemptRecord, method: MethodSpec) -> bool:
    """Return whether the weights of the attempt are a whole model that stays only while it is on the
    frontier. What was saved under another `keep_weights` stays."""
    return attempt.keep_weights == "frontier" and method.settings.trains_everything


def _may_run(attempt: AttemptRecord, now: float) -> bool:
    """Return whether a process that lost its driver may still write into the attempt."""
    if attempt.outcome is not None or attempt.bill is not None:
        return False
    sign = last_sign_of_life(Path(attempt.directory) / layout.EVENTS)
    last = attempt.ordered_at if sign is None else sign
    return now - last < _SILENT_SECONDS


def remove(ledger: Ledger, folders: Sequence[Leftover], stored: Mapping[str, int] | None = None) -> None:
    """Delete the folders, on this machine and in the sweep's store. The caller holds the ledger's lock.
    `stored`: a listing of the store that has them; None: it is taken here.

    Each disappears at once for its readers: here by a rename, in the store with its marker.
    """
    if stored is None:
        stored = {} if ledger.mirror is None else stored_trials(ledger.mirror)
    for folder in folders:
        if ledger.mirror is not None:
            delete_tree(ledger.mirror.store, stored_key(ledger, folder.path), stored)
        delete_here(folder.path, ignore_errors=ledger.mirror is not None)


def delete_here(directory: Path, ignore_errors: bool = False) -> None:
    """Delete a directory of this machine, if there is one, and what an earlier call left of it. Raises
    OSError."""
    dropped = directory.with_name(f"{directory.name}{layout.DROPPED}")
    if dropped.is_dir():
        shutil.rmtree(dropped, ignore_errors=ignore_errors)
    with suppress(FileNotFoundError):
        directory.rename(dropped)
        shutil.rmtree(dropped, ignore_errors=ignore_errors)


def size_on_disk(directory: Path) -> int:
    """Return the bytes of all files below a directory; 0 where there is none, or only a link to one."""
    if directory.is_symlink():
        return 0
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())


def _sizes(ledger: Ledger) -> Callable[[Path], int]:
    if ledger.mirror is None:
        return size_on_disk
    totals: dict[str, int] = {}
    for key, size in stored_trials(ledger.mirror).items():
        for parent in Path(key).parents:
            totals[parent.as_posix()] = totals.get(parent.as_posix(), 0) + size
    return lambda path: totals.get(stored_key(ledger, path), 0)


def stored_trials(mirror: Mirror) -> dict[str, int]:
    """Return the bytes of all that a sweep's store holds of its trials, by key."""
    return mirror.store.listing(f"{mirror.directory.name}/{layout.TRIALS}")


def stored_key(ledger: Ledger, path: Path) -> str:
    """Return the key in the store of a path below the sweep's directory."""
    return path.relative_to(ledger.directory.parent).as_posix()
