"""The runs of one sweep in MLflow: how they are replaced, marked and deleted.

A run is left alone where its tag `frontier.digest` and its figures are those that would be written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.contracts.ledger import Totals, TrialRecord
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.tracking.mlflow_experiment import StoredRun, SweepExperiment
from orchestrator.tracking.mlflow_model_store import RunModels
from orchestrator.tracking.mlflow_models import carry_over, delete_model
from orchestrator.tracking.mlflow_run_writer import write_run
from orchestrator.tracking.mlflow_runs import (
    CANDIDATE_KIND,
    DIGEST,
    KIND,
    REMOVED,
    STATE,
    SWEEP_ID,
    TRIAL_KIND,
    MetricPoint,
    RunContent,
    curve_points,
    data_digest,
    describe,
)
from orchestrator.tracking.mlflow_summary import experiment_tags, summary_run
from orchestrator.tracking.published import RunsInStore

if TYPE_CHECKING:
    from mlflow import MlflowClient


class RunStore:
    """Connects on first use; every failure is a TrackingError. `models`: those of these runs."""

    def __init__(self, uri: str, sweep: SweepRecord, published: RunsInStore | None = None) -> None:
        self._published = published
        self._experiment = SweepExperiment(uri, sweep, published)
        self.models = RunModels(self._experiment, published)

    def follow(self, sweep: SweepRecord) -> None:
        self._experiment.sweep = sweep

    def write_trial(self, record: TrialRecord) -> bool:
        content = describe(record, self._experiment.sweep)
        if content is None and record.state is not TrialState.STALE:
            return False
        digest = TrialState.STALE if content is None else content.digest
        with self._asked_if_new(record.name, digest) as client:
            if client is None:
                return False
            if content is None:
                return self._mark_stale(client, record.name)
            return self._write(client, content, lambda: curve_points(record), lambda: data_digest(record))

    def retire_others(self, kept: Collection[str]) -> int:
        """Delete our runs of trials and candidates that are not `kept`, as MLflow deletes: it can restore
        them. Return how many."""
        with self._experiment.reached() as client:
            gone = [name for name in self._names_of_trials() if name not in kept]
            for name in gone:
                run = self._experiment.runs.pop(name)
                client.delete_run(run.identity)
                delete_model(client, run.tags)
            return len(gone)

    def write_summary(self, totals: Totals, note: str) -> bool:
        sweep = self._experiment.sweep
        content = summary_run(sweep, totals, note)
        timeless = sweep.model_copy(update={"written_at": 0.0})  # a run with nothing new changes it
        described = json.dumps([content.digest, experiment_tags(timeless)], sort_keys=True)
        digest = hashlib.sha256(described.encode()).hexdigest()
        with self._asked_if_new(content.name, digest) as client:
            if client is None:
                return False
            self._experiment.describe(client)  # the record may have changed since this process connected
            self._mark_removed(client)
            return self._write(client, content, list, lambda: None)

    @contextmanager
    def _asked_if_new(self, name: str, digest: str) -> Iterator[MlflowClient | None]:
        """Give a client where the store has to be asked about a run: not where an earlier command wrote it as
        it is and no other run is new. At the end, remember that the store has it."""
        published = self._published
        if published is None or self._experiment.connected or not published.says(name, digest):
            with self._experiment.reached() as client:
                yield client
        else:
            yield None
        if published is not None:
            published.note(name, digest)

    def _write(
        self,
        client: MlflowClient,
        content: RunContent,
        curve: Callable[[], list[MetricPoint]],
        data: Callable[[], str | None],
    ) -> bool:
        """Replace the run of that name. The old one goes last: a crash leaves a run too many, never none, and
        the one too many lacks its digest, so that the next connection drops it."""
        experiment = self._experiment
        old = experiment.runs.get(content.name)
        same = experiment.unclaimed.get(content.digest) if old is None else old
        if same is not None and same.says(content):
            return False
        sweep_id = experiment.sweep.sweep_id
        tags = content.tags if sweep_id is None else content.tags | {SWEEP_ID: sweep_id}
        run = write_run(client, experiment.identity, content, tags, curve(), data())
        tags |= {DIGEST: content.digest}
        if old is not None:
            tags |= carry_over(client, old.tags, run, content.tags.get("fingerprint", ""))
            client.delete_run(old.identity)
        experiment.runs[content.name] = StoredRun(run, tags, content.finals)
        return True

    def _names_of_trials(self) -> list[str]:
        """Return the names of our runs, the summary left out."""
        runs = self._experiment.runs.items()
        return [name for name, run in runs if run.tags.get(KIND) in (TRIAL_KIND, CANDIDATE_KIND)]

    def _mark_removed(self, client: MlflowClient) -> None:
        """Mark the runs of trials and candidates that are no longer in the grid."""
        sweep = self._experiment.sweep
        planned = {trial.name for trial in (*sweep.trials, *sweep.candidates)}
        for name in self._names_of_trials():
            if name not in planned:
                self._mark_stale(client, name, removed=True)

    def _mark_stale(self, client: MlflowClient, name: str, *, removed: bool = False) -> bool:
        """A run of other settings stays to be looked at, and says so."""
        run = self._experiment.runs.get(name)
        if run is None:
            return False
        stale = {STATE: TrialState.STALE.value, DIGEST: "", REMOVED: str(removed).lower()}
        changed = {key: value for key, value in stale.items() if run.tags.get(key) != value}
        for key, value in changed.items():
            client.set_tag(run.identity, key, value)
        self._experiment.runs[name] = replace(run, tags={**run.tags, **stale})
        return bool(changed)
