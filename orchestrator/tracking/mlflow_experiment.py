"""The experiment of one sweep in MLflow: opened on first use, with the runs that are ours.

Runs are found by their tags `frontier.trial` and `frontier.sweep_id`: a sweep of the same name elsewhere has
runs of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING

from orchestrator.contracts.no_room import FULL, no_room
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.errors import FrontierError, TrackingError
from orchestrator.tracking.mlflow_client import client_of
from orchestrator.tracking.mlflow_reader import active_runs
from orchestrator.tracking.mlflow_runs import DIGEST, SWEEP_ID, TRIAL, RunContent
from orchestrator.tracking.mlflow_summary import experiment_tags
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

_SQLITE_IS_FULL = "database or disk is full"


@dataclass(frozen=True)
class StoredRun:
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


class SweepExperiment:
    """`identity`, `runs` and `unclaimed` are those of the store once it was reached."""

    def __init__(self, uri: str, sweep: SweepRecord, published: RunsInStore | None) -> None:
        self.uri, self.sweep = uri, sweep
        self.identity = ""
        self.runs: dict[str, StoredRun] = {}  # ours by name, of which one run is active
        self.unclaimed: dict[str, StoredRun] = {}  # by digest; an older version wrote them, of any sweep
        self._published = published
        self._tags: dict[str, str] = {}
        self._connection: MlflowClient | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @contextmanager
    def reached(self) -> Iterator[MlflowClient]:
        """Give a client of the store. Every failure of the store is a TrackingError."""
        try:
            yield self._client()
        except FrontierError:
            raise
        except Exception as error:  # mlflow, its HTTP client and its database layer share no base class
            raise _in_our_words(error, self.uri) from error

    def describe(self, client: MlflowClient) -> None:
        """Set the tags of the experiment that differ from the record of the sweep."""
        for key, value in experiment_tags(self.sweep).items():
            if self._tags.get(key) != value:
                client.set_experiment_tag(self.identity, key, value)
                self._tags[key] = value

    def _client(self) -> MlflowClient:
        if self._connection is None:
            client = _open(self.uri)
            self.identity, self._tags = _experiment(client, self.uri, self.sweep.name)
            self.describe(client)
            active = [
                StoredRun(run.info.run_id, dict(run.data.tags), dict(run.data.metrics))
                for run in active_runs(client, self.identity)
            ]
            self.runs = _one_run_each(client, filter(self._is_ours, active))
            self.unclaimed = {run.tags.get(DIGEST, ""): run for run in active if SWEEP_ID not in run.tags}
            self._connection = client
        return self._connection

    def _is_ours(self, run: StoredRun) -> bool:
        """Return whether the run was written from these records. A sweep of the same name on another machine
        has its runs in the same experiment of a server. Older runs have no id: those that an earlier command
        remembers to have written are ours."""
        if SWEEP_ID in run.tags:
            return run.tags[SWEEP_ID] == self.sweep.sweep_id
        return self._published is not None and run.tags.get(TRIAL) in self._published.names


def _open(uri: str) -> MlflowClient:
    """A client of the store. A new SQLite file appears whole, by rename: killed while it is filled with its
    tables, a driver would leave one that MLflow can neither use nor repair."""
    path = store_file(uri)
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        draft.unlink(missing_ok=True)
        client_of(f"{SQLITE}{draft}").search_experiments(max_results=1)
        draft.rename(path)
    return client_of(uri)


def _experiment(client: MlflowClient, uri: str, sweep: str) -> tuple[str, dict[str, str]]:
    """Return the id and the tags of the sweep's experiment; create it if it is missing, restore it if it was
    deleted."""
    experiment = client.get_experiment_by_name(sweep)
    if experiment is None:
        return client.create_experiment(sweep, artifact_location=artifact_root(uri)), {}
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id, dict(experiment.tags)


def _one_run_each(client: MlflowClient, ours: Iterable[StoredRun]) -> dict[str, StoredRun]:
    """Return our active runs by name; of several of one name, which a crash may leave, one is kept."""
    runs: dict[str, StoredRun] = {}
    for run in ours:
        name = run.tags.get(TRIAL)
        if name is None:
            continue
        if name in runs:
            keep_this = bool(run.tags.get(DIGEST)) and not runs[name].tags.get(DIGEST)
            client.delete_run(runs[name].identity if keep_this else run.identity)
            if not keep_this:
                continue
        runs[name] = run
    return runs


def _in_our_words(error: Exception, uri: str) -> TrackingError:
    server = f"MLflow at {without_secrets(uri)}"
    status = getattr(error, "get_http_status_code", lambda: None)()  # of mlflow's own errors
    if status == HTTPStatus.UNAUTHORIZED:
        problem = f"{server} refuses the login"
        fix = f"set {USER} and {PASSWORD} to an account of that server"
    elif status == HTTPStatus.FORBIDDEN:
        problem = f"{server} lets nothing be written"
        fix = f"give the account of {USER} the right to edit there; or is the host not in --allowed-hosts?"
    elif _SQLITE_IS_FULL in str(error) or no_room(error) in FULL:
        problem, fix = f"{server} cannot be written, because the disk is full", "free some disk space"
    else:
        problem, fix = f"{server} cannot be written ({type(error).__name__})", "bring it back"
    return TrackingError(
        f"{problem}; the records lack nothing\n    -> {fix}, then `frontier sync` writes all that is missing"
    )
