"""`log_models: true`: each finished trial whose weights were kept has its export in MLflow, as a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from rich.console import Console

from orchestrator.cli.export.choice import chosen_trial
from orchestrator.cli.export.contents import is_here, order_of, refuse_state_space, write_contents
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.terminal import styled
from orchestrator.contracts import layout
from orchestrator.contracts.exported import LOGGED_FOLDER
from orchestrator.contracts.files import draft
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import FrontierError, TrackingError
from orchestrator.report import Report
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.mlflow_models import LoggableModel
from orchestrator.units import named_list, quantity

_MOST = 3  # names


class ModelStore(Protocol):
    """The runs of a sweep, as models are logged to them. Raises TrackingError."""

    def has_model(self, name: str, digest: str) -> bool: ...
    def refuse_no_room(self) -> None: ...
    def log_model(self, name: str, digest: str, model: LoggableModel) -> None: ...


def log_models(ledger: Ledger, report: Report, console: Console, store: ModelStore) -> int:
    """Log what MLflow lacks, and return how many models that were. A trial whose model cannot be exported is
    named and left out. Raises TrackingError where MLflow does not take them, before the first is exported.

    The caller holds the lock of the ledger, because another driver would log and replace the same models.
    """
    trials = list(ledger.trials())
    waiting = [trial for trial in _kept(ledger, trials) if not store.has_model(trial.name, _digest(trial))]
    if not waiting:
        return 0
    store.refuse_no_room()
    left_out = defaultdict[str, list[str]](list)
    logged = 0
    with showing(console, Steps(), prefix="") as steps:
        at = steps.begin("models logged to MLflow")
        for number, trial in enumerate(waiting):
            at(number, len(waiting))
            steps.doing = trial.name
            try:
                logged += _log(ledger, report, trial, store)
            except TrackingError:
                raise
            except (FrontierError, OSError) as error:
                left_out[str(error).removeprefix(f"{trial.name}: ")].append(trial.name)
            except Exception as error:  # of a library; its text may hold what is in the data
                left_out[f"its export failed ({type(error).__name__})"].append(trial.name)
    for reason, names in left_out.items():
        what = f"{quantity(len(names), 'model')} ({named_list(names, _MOST)}): {reason}"
        console.print(styled("not logged", "yellow"), what, highlight=False, soft_wrap=True)
    return logged


def _log(ledger: Ledger, report: Report, trial: TrialRecord, store: ModelStore) -> bool:
    """Export the model of a trial to a folder, and log it; return False where its weights are gone."""
    assert trial.decisive is not None
    attempt, sweep = Path(trial.decisive.directory), ledger.sweep()
    refuse_state_space(order_of(attempt).trial.backbone)
    if not is_here(ledger, attempt):
        return False
    chosen = chosen_trial(report, trial)
    with draft(ledger.directory / layout.MODEL) as folder:
        (folder / LOGGED_FOLDER).mkdir(parents=True)
        exported, answer = write_contents(
            ledger, sweep, chosen, attempt / layout.MODEL, folder / LOGGED_FOLDER
        )
        columns = ("text", "second_text") if exported.use.paired else ("text",)
        store.log_model(trial.name, _digest(trial), LoggableModel(folder, answer.mlflow_code, columns))
    return True


def _kept(ledger: Ledger, trials: list[TrialRecord]) -> Iterator[TrialRecord]:
    """Yield the finished trials whose weights are here, or in the sweep's store."""
    weights = ledger.weights()
    dropped = weights.dropped if weights is not None else {}
    for trial in trials:
        attempt = trial.decisive
        if trial.state is not TrialState.FINISHED or attempt is None:
            continue
        stored = ledger.mirror is not None and trial.name not in dropped
        saved = attempt.outcome is not None and attempt.outcome.saved_bytes is not None
        if (Path(attempt.directory) / layout.MODEL).is_dir() or (stored and saved):
            yield trial


def _digest(trial: TrialRecord) -> str:
    """Return which weights they are: those of an attempt at a fingerprint."""
    assert trial.decisive is not None
    return f"{trial.planned.fingerprint}-{trial.decisive.attempt:03d}"
