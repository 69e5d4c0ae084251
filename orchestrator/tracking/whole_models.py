"""The whole models that a sweep with `keep_weights: frontier` has saved, wherever its records are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.contracts import layout
from orchestrator.contracts.kept_weights import WholeModel
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.storage.directories import MARKER
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.leftovers import (
    Leftover,
    LeftoverKind,
    delete_here,
    remove,
    saved_for_frontier,
    size_on_disk,
    stored_key,
)


@dataclass(frozen=True)
class SavedModel:
    """`use`: `current` of the result of its trial, `stale` of a result under other settings while there is no
    other; `none` of an attempt that left no result, or whose result another one has replaced."""

    model: WholeModel
    path: Path
    use: Literal["current", "stale", "none"]


def saved_models(ledger: Ledger, record: TrialRecord, sweep: SweepRecord) -> list[SavedModel]:
    """Return the whole models of a trial that are there, of attempts that have ended. What an earlier
    deletion left half done is deleted. Raises StorageError, OSError."""
    method = sweep.methods[record.planned.cell.method]
    attempts = [
        attempt
        for attempt in record.attempts
        if saved_for_frontier(attempt, method) and (attempt.outcome is not None or attempt.bill is not None)
    ]
    stored = _stored_below(ledger, record) if attempts else {}
    models = []
    for attempt in attempts:
        path = Path(attempt.directory) / layout.MODEL
        key = f"{stored_key(ledger, path)}/"
        parts = {name: size for name, size in stored.items() if name.startswith(key)}
        if not path.is_dir() and not parts:
            delete_here(path)
            continue
        size = sum(parts.values()) if ledger.mirror is not None else size_on_disk(path)
        complete = path.is_dir() or f"{key}{MARKER}" in parts
        model = WholeModel(trial=record.name, attempt=attempt.attempt, bytes=size)
        models.append(SavedModel(model, path, _use(record, attempt) if complete else "none"))
    return models


def _stored_below(ledger: Ledger, record: TrialRecord) -> Mapping[str, int]:
    """Return what the sweep's store holds of a trial; nothing where its records are a directory."""
    if ledger.mirror is None:
        return {}
    directory = layout.trial_directory(ledger.directory, record.name)
    return ledger.mirror.store.listing(stored_key(ledger, directory))


def _use(record: TrialRecord, attempt: AttemptRecord) -> Literal["current", "stale", "none"]:
    if attempt.outcome is None or attempt.outcome.state != "finished":
        return "none"
    if record.state is not TrialState.FINISHED:
        return "stale"
    return "current" if attempt is record.decisive else "none"


def drop(ledger: Ledger, models: Iterable[SavedModel]) -> None:
    """Delete the models, on this machine and in the store. The caller holds the ledger's lock. Raises
    StorageError, OSError."""
    for saved in models:
        folder = Leftover(LeftoverKind.DROPPED, saved.path, saved.model.bytes)
        key = stored_key(ledger, saved.path)
        remove(ledger, [folder], {} if ledger.mirror is None else ledger.mirror.store.listing(key))
