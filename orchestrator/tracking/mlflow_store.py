"""The runs of one sweep in MLflow: how they are written, found again, marked and deleted.

With `mlflow_models`, the only file that writes to mlflow, which is imported once something is published.
Runs are found by their tags `frontier.trial` and `frontier.sweep_id`: a sweep of the same name elsewhere has
runs of its own. A run is left alone where its tag `frontier.digest` and its figures are those that would be
written.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import islice, zip_longest
from math import isfinite
from typing import TYPE_CHECKING, TypeVar

from orchestrator.contracts.ledger import Totals, TrialRecord
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import FrontierError, TrackingError
from orchestrator.tracking.mlflow_models import (
    MODEL,
    MODEL_ID,
    LoggableModel,
    carry_over,
    delete_model,
    log_model,
    models_in,
    refuse_no_room,
)
from orchestrator.tracking.mlflow_reader import active_runs
from orchestrator.tracking.mlflow_runs import (
    CANDIDATE_KIND,
    DIGEST,
    KIND,
    REMOVED,
    STATE,
    SWEEP_ID,
    TRIAL,
    TRIAL_KIND,
    MetricPoint,
    RunContent,
    curve_points,
    data_digest,
    describe,
)
from orchestrator.tracking.mlflow_summary import experiment_tags, summary
from orchestrator.tracking.mlflow_views import VIEW
from orchestrator.tracking.published import RunsInStore
from orchestrator.tracking.tracking_uri import (
    PASSWORD,
    SQLITE,
    USER,
    artifact_root,
    store_file,
    without_secrets,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

_LOG = logging.getLogger(__name__)
_METRICS_A_BATCH = 800  # MLflow takes 1,000 of metrics, parameters and tags together
_PARAMS_A_BATCH = 100
_DIGEST_LENGTH = 36  # characters of a dataset's digest that MLflow takes
_T = TypeVar("_T")


def runs_pages(uri: str, sweep: str) -> dict[str, str]:
    """Return what follows the host in the addresses of the sweep's runs, by task; before its first run, of
    all experiments, by an empty name."""
    from mlflow import MlflowClient

    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name(sweep)
    if experiment is None:
        return {"": "#/experiments"}
    page = f"#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    views = sorted(key.removeprefix(VIEW) for key in experiment.tags if key.startswith(VIEW))
    return {view: f"{page}&viewStateShareKey={view}" for view in views} or {"": page}


class RunStore:
    """The experiment of one sweep. Connects on first use; every failure is a TrackingError."""

    def __init__(self, uri: str, sweep: SweepRecord, published: RunsInStore | None = None) -> None:
        self._uri, self._sweep, self._published = uri, sweep, published
        self._connection: MlflowClient | None = None
        self._experiment, self._described = "", dict[str, str]()  # its id and its tags
        self._runs: dict[str, _Kept] = {}  # ours by name, of which one run is active
        self._models: set[str] | None = None  # ids of the experiment's models; None: not asked yet
        self._unclaimed: dict[str, _Kept] = {}  # by digest; an older version wrote them, of any sweep

    def follow(self, sweep: SweepRecord) -> None:
        self._sweep = sweep

    def write_trial(self, record: TrialRecord) -> bool:
        content = describe(record, self._sweep)
        if content is None and record.state is not TrialState.STALE:
            return False
        with self._remembering(record.name, TrialState.STALE if content is None else content.digest) as new:
            if not new:
                return False
            if content is None:
                return self._mark_stale(record.name)
            return self._write(content, lambda: curve_points(record), lambda: data_digest(record))

    def retire_others(self, kept: Collection[str]) -> int:
        """Delete our runs of trials and candidates that are not `kept`, as MLflow deletes: it can restore
        them. Return how many."""
        with self._reaching():
            client = self._client()
            gone = [
                name
                for name, run in self._runs.items()
                if run.tags.get(KIND) in (TRIAL_KIND, CANDIDATE_KIND) and name not in kept
            ]
            for name in gone:
                run = self._runs.pop(name)
                client.delete_run(run.identity)
                delete_model(client, run.tags)
            return len(gone)

    def has_model(self, name: str, digest: str) -> bool:
        """Return whether the run of that name has the model with this digest, one that was not deleted."""
        published = self._published
        known = published is not None and published.says(_model_of(name), digest)
        if not known or self._connection is not None:
            with self._reaching():
                client = self._client()
                if self._models is None:
                    self._models = models_in(client, self._experiment)
            run = self._runs.get(name)
            known = (
                run is not None and run.tags.get(MODEL) == digest and run.tags.get(MODEL_ID) in self._models
            )
        if known and published is not None:
            published.note(_model_of(name), digest)
        return known

    def refuse_no_room(self) -> None:
        """Raise TrackingError where the store takes no models."""
        with self._reaching():
            client = self._client()
            refuse_no_room(client, self._experiment, self._uri)

    def log_model(self, name: str, digest: str, model: LoggableModel) -> None:
        """Log the model to the run of that name. Raises TrackingError where there is no such run."""
        with self._reaching():
            client, run = self._client(), self._runs.get(name)
            if run is None:
                raise TrackingError(f"{name} has no run for its model\n    -> `frontier sync` writes both")
            tags = log_model(client, run.identity, digest, model)
            self._runs[name] = replace(run, tags={**run.tags, **tags})
            if self._models is not None:
                self._models.add(tags[MODEL_ID])
        if self._published is not None:
            self._published.note(_model_of(name), digest)

    def write_summary(self, totals: Totals, note: str) -> bool:
        content = summary(self._sweep, totals, note)
        timeless = self._sweep.model_copy(update={"written_at": 0.0})  # a run with nothing new changes it
        described = json.dumps([content.digest, experiment_tags(timeless)], sort_keys=True)
        with self._remembering(content.name, hashlib.sha256(described.encode()).hexdigest()) as new:
            if not new:
                return False
            self._describe(self._client())  # the record may have changed since this process connected
            self._mark_removed()
            return self._write(content, list, lambda: None)

    @contextmanager
    def _remembering(self, name: str, digest: str) -> Iterator[bool]:
        """Give whether the store has to be asked about a run: not where an earlier command wrote it as it is
        and no other run is new. At the end, remember that the store has it."""
        published = self._published
        if published is None or self._connection is not None or not published.says(name, digest):
            with self._reaching():
                yield True
        else:
            yield False
        if published is not None:
            published.note(name, digest)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except FrontierError:
            raise
        except Exception as error:  # mlflow, its HTTP client and its database layer share no base class
            raise _in_our_words(error, self._uri) from error

    def _write(
        self, content: RunContent, curve: Callable[[], list[MetricPoint]], data: Callable[[], str | None]
    ) -> bool:
        """Replace the run of that name. The old one goes last: a crash leaves a run too many, never none, and
        the one too many lacks its digest, so that the next connection drops it."""
        client = self._client()
        old = self._runs.get(content.name)
        same = self._unclaimed.get(content.digest) if old is None else old
        if same is not None and same.says(content):
            return False
        tags = (
            content.tags if self._sweep.sweep_id is None else content.tags | {SWEEP_ID: self._sweep.sweep_id}
        )
        started = round(content.started_at * 1000)
        run = client.create_run(
            self._experiment, start_time=started, tags=tags, run_name=content.name
        ).info.run_id
        ended_at = content.started_at if content.ended_at is None else content.ended_at
        finals = [MetricPoint(name, value, ended_at) for name, value in content.finals.items()]
        if (digest := data()) is not None:
            client.log_inputs(run, [_dataset(content.params["task"], digest)])
        client.set_terminated(run, status=content.status, end_time=round(ended_at * 1000))
        self._log(client, run, content, finals + curve())
        tags |= {DIGEST: content.digest}
        if old is not None:
            tags |= carry_over(client, old.tags, run, content.tags.get("fingerprint", ""))
            client.delete_run(old.identity)
        self._runs[content.name] = _Kept(run, tags, content.finals)
        return True

    def _log(self, client: MlflowClient, run: str, content: RunContent, points: list[MetricPoint]) -> None:
        """Log in as few calls as MLflow allows, because each takes milliseconds. The digest is in the last
        one, which the store writes after the rest of it."""
        from mlflow.entities import Metric, Param, RunTag

        metrics = list(
            _batches((Metric(p.name, p.value, round(p.at * 1000), p.step) for p in points), _METRICS_A_BATCH)
        )
        params = list(_batches((Param(k, v) for k, v in content.params.items()), _PARAMS_A_BATCH))
        calls = list(zip_longest(metrics, params, fillvalue=())) or [((), ())]
        for number, (some_metrics, some_params) in enumerate(calls, start=1):
            tags = [RunTag(DIGEST, content.digest)] if number == len(calls) else []
            client.log_batch(run, metrics=some_metrics, params=some_params, tags=tags)

    def _mark_removed(self) -> None:
        """Mark the runs of trials and candidates that are no longer in the grid."""
        planned = {trial.name for trial in (*self._sweep.trials, *self._sweep.candidates)}
        for name, run in list(self._runs.items()):
            if run.tags.get(KIND) in (TRIAL_KIND, CANDIDATE_KIND) and name not in planned:
                self._mark_stale(name, removed=True)

    def _mark_stale(self, name: str, *, removed: bool = False) -> bool:
        """A run of other settings stays to be looked at, and says so."""
        client = self._client()
        run = self._runs.get(name)
        if run is None:
            return False
        stale = {STATE: TrialState.STALE.value, DIGEST: "", REMOVED: str(removed).lower()}
        changed = {key: value for key, value in stale.items() if run.tags.get(key) != value}
        for key, value in changed.items():
            client.set_tag(run.identity, key, value)
        self._runs[name] = replace(run, tags={**run.tags, **stale})
        return bool(changed)

    def _describe(self, client: MlflowClient) -> None:
        """Set the tags of the experiment that differ from the record."""
        for key, value in experiment_tags(self._sweep).items():
            if self._described.get(key) != value:
                client.set_experiment_tag(self._experiment, key, value)
                self._described[key] = value

    def _is_ours(self, run: _Kept) -> bool:
        """Return whether the run was written from these records. A sweep of the same name on another machine
        has its runs in the same experiment of a server. Older runs have no id: those that an earlier command
        remembers to have written are ours."""
        if SWEEP_ID in run.tags:
            return run.tags[SWEEP_ID] == self._sweep.sweep_id
        return self._published is not None and run.tags.get(TRIAL) in self._published.names

    def _client(self) -> MlflowClient:
        if self._connection is None:
            client = _open(self._uri)
            self._experiment, self._described = _experiment(client, self._uri, self._sweep.name)
            self._describe(client)
            active = [
                _Kept(run.info.run_id, dict(run.data.tags), dict(run.data.metrics))
                for run in active_runs(client, self._experiment)
            ]
            self._runs = _one_run_each(client, filter(self._is_ours, active))
            self._unclaimed = {run.tags.get(DIGEST, ""): run for run in active if SWEEP_ID not in run.tags}
            self._connection = client
        return self._connection


def _model_of(name: str) -> str:
    """Return under which name the model of a run is remembered in `published.json`."""
    return f"model of {name}"


def _dataset(task: str, digest: str) -> DatasetInput:
    """Return the data of a task as MLflow lists it: name and digest, and nothing of where the files are."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name=task, digest=digest[:_DIGEST_LENGTH], source_type="frontier", source="{}")
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _in_our_words(error: Exception, uri: str) -> TrackingError:
    server = f"MLflow at {without_secrets(uri)}"
    status = getattr(error, "get_http_status_code", lambda: None)()  # of mlflow's own errors
    if status == HTTPStatus.UNAUTHORIZED:
        problem = f"{server} refuses the login"
        fix = f"set {USER} and {PASSWORD} to an account of that server"
    elif status == HTTPStatus.FORBIDDEN:
        problem = f"{server} lets nothing be written"
        fix = f"give the account of {USER} the right to edit there; or is the host not in --allowed-hosts?"
    else:
        problem, fix = f"{server} cannot be written ({type(error).__name__})", "bring it back"
    return TrackingError(
        f"{problem}; the records lack nothing\n    -> {fix}, then `frontier sync` writes all that is missing"
    )


def _open(uri: str) -> MlflowClient:
    """A client of the store. A new SQLite file appears whole, by rename: killed while it is filled with its
    tables, a driver would leave one that MLflow can neither use nor repair."""
    from mlflow import MlflowClient

    path = store_file(uri)
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        draft.unlink(missing_ok=True)
        MlflowClient(tracking_uri=f"{SQLITE}{draft}").search_experiments(max_results=1)
        draft.rename(path)
    return MlflowClient(tracking_uri=uri)


def _experiment(client: MlflowClient, uri: str, sweep: str) -> tuple[str, dict[str, str]]:
    """Return the id and the tags of the sweep's experiment; create it if it is missing, restore it if it was
    deleted."""
    experiment = client.get_experiment_by_name(sweep)
    if experiment is None:
        return client.create_experiment(sweep, artifact_location=artifact_root(uri)), {}
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id, dict(experiment.tags)


@dataclass(frozen=True)
class _Kept:
    """A run as MLflow has it."""

    identity: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]  # the last value of each

    def says(self, content: RunContent) -> bool:
        """Return whether it was written from this content, and no final figure was changed, removed or added
        since. The names of curves have a slash."""
        finals = {name: value for name, value in self.metrics.items() if "/" not in name}
        return (
            self.tags.get(DIGEST) == content.digest
            and finals.keys() == content.finals.keys()
            and all(finals[name] == value for name, value in content.finals.items() if isfinite(value))
        )


def _one_run_each(client: MlflowClient, ours: Iterable[_Kept]) -> dict[str, _Kept]:
    """Return our active runs by name; of several of one name, which a crash may leave, one is kept."""
    runs: dict[str, _Kept] = {}
    for kept in ours:
        name = kept.tags.get(TRIAL)
        if name is None:
            continue
        if name in runs:
            keep_this = bool(kept.tags.get(DIGEST)) and not runs[name].tags.get(DIGEST)
            client.delete_run(runs[name].identity if keep_this else kept.identity)
            if not keep_this:
                continue
        runs[name] = kept
    return runs


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
