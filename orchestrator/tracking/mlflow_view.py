"""MLflow as a view of the ledger: an experiment a sweep, a flat run a trial or candidate, one summary run."""

from __future__ import annotations

import logging
from collections.abc import Callable

from orchestrator.contracts.ledger import Totals, TrialRecord
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import FrontierError, LedgerError, TrackingError
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.mlflow_model_store import RunModels
from orchestrator.tracking.mlflow_store import RunStore
from orchestrator.tracking.published import RunsInStore
from orchestrator.tracking.trial_costs import totals_of

_LOG = logging.getLogger(__name__)


class Synced(Record):
    """What `sync` did. Runs of trials, the summary left out."""

    published: int
    unchanged: int
    retired: int = 0  # runs deleted because their trials have no records any more
    models: int = 0  # logged to runs that lacked them


class MlflowView:
    """Writes runs; never stops a sweep. After its first failure it says so once and rests until a `sync`.

    With `published`, MLflow is imported and asked only once something is new; `publish_summary` comes after
    the trials and writes down what MLflow then has, as does `publish_models`."""

    def __init__(self, uri: str, sweep: SweepRecord, published: RunsInStore | None = None) -> None:
        self.warning: str | None = None  # why MLflow is left behind, in one line
        self.unlogged: str | None = None  # why it lacks models, though it has the runs
        self._published = published
        self._store = RunStore(uri, sweep, published)

    def follow(self, sweep: SweepRecord) -> None:
        """Publish under this record from now on: searches find out what trials are run with."""
        self._store.follow(sweep)

    def publish(self, record: TrialRecord) -> bool:
        """True where something was written: not where the run already says all, nor where MLflow is down."""
        if self.warning is not None:
            return False
        try:
            return self._store.write_trial(record)
        except TrackingError as error:
            self._rest(error)
        except LedgerError as error:  # only this trial
            _LOG.warning("%s", error)
        return False

    def publish_summary(self, totals: Totals, note: str = "") -> bool:
        """Write the summary run, with `note` in Markdown, say the answer of the report."""
        if self.warning is not None:
            return False
        try:
            written = self._store.write_summary(totals, note)
        except TrackingError as error:
            self._rest(error)
            return False
        if self._published is not None:
            self._published.save()
        return written

    def publish_models(self, log: Callable[[RunModels], int]) -> None:
        """Let `log` add the models that runs lack. Whatever happens there, only models are missing."""
        if self.warning is not None:
            return
        try:
            log(self._store.models)
        except FrontierError as error:
            self.unlogged = str(error)
        except Exception as error:  # of an export or a library; its text may hold what is in the data
            self.unlogged = f"models could not be logged ({type(error).__name__})"
        if self.unlogged is not None:
            _LOG.warning("%s", self.unlogged)
        if self._published is not None:
            self._published.save()

    def _rest(self, error: TrackingError) -> None:
        self.warning = str(error)
        _LOG.warning("%s", error)


def sync(ledger: Ledger, uri: str, note: str = "", log: Callable[[RunModels], int] | None = None) -> Synced:
    """Bring MLflow up to date with the ledger. A second call changes nothing. `log` adds the models that runs
    lack. Raises TrackingError if it fails.

    The caller holds the lock of the ledger, because a running driver publishes too.
    """
    sweep = ledger.sweep()
    published_runs = RunsInStore(uri, ledger.directory, trusted=False)
    store = RunStore(uri, sweep, published_runs)
    records, candidates = list(ledger.trials()), list(ledger.candidates())
    published = unchanged = 0
    for record in (*candidates, *records):
        if store.write_trial(record):
            published += 1
        elif record.state not in (TrialState.NEW, TrialState.STALE):
            unchanged += 1
    removed = list(ledger.removed())
    totals = totals_of(records, len(sweep.refused), (*candidates, *removed))
    store.write_summary(totals, note)
    kept = {record.name for record in (*candidates, *records, *removed) if record.attempts}
    retired = store.retire_others(kept)
    published_runs.save()
    models = 0 if log is None else log(store.models)
    published_runs.save()
    return Synced(published=published, unchanged=unchanged, retired=retired, models=models)
