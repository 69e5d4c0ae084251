"""Reads an experiment of MLflow, ours or that of others. Changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigError, Problem, TrackingError, did_you_mean
from orchestrator.tracking.mlflow_client import client_of
from orchestrator.tracking.mlflow_views import VIEW
from orchestrator.tracking.sqlite_store import is_mlflow_store
from orchestrator.tracking.tracking_uri import SERVERS, SQLITE, store_file, without_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1_000  # runs a search returns at once: without a token for the next page it stops there
_ENDED = "FINISHED"


@dataclass(frozen=True)
class ExperimentRun:
    """An active run. `values`: by column, called as in MLflow's own exports."""

    identity: str
    values: Mapping[str, str]
    ended: bool  # as planned
    started_at: float  # Unix time
    ended_at: float  # Unix time; 0 where it has not ended


@dataclass(frozen=True)
class Experiment:
    tags: Mapping[str, str]
    runs: tuple[ExperimentRun, ...]  # the oldest first


def read_experiment(uri: str, name: str) -> Experiment:
    """Return the runs of an experiment. Raises ConfigError where there is none of that name, or no store;
    TrackingError where the store does not answer."""
    shown = without_secrets(uri)
    if (file := store_file(uri)) is not None:
        _refuse_other_file(file, shown)
    if not uri.startswith((SQLITE, *SERVERS, "postgresql", "mysql")):
        fix = "write the address of a server, https://HOST, or sqlite:///PATH of a file"
        raise ConfigError([Problem("--mlflow", "", f"is no tracking URI, got {shown!r}", fix)])
    try:
        client = client_of(uri)
        experiment = client.get_experiment_by_name(name)
        names = [] if experiment else [one.name for one in client.search_experiments(max_results=_PAGE)]
        runs = () if experiment is None else tuple(_oldest_first(client, experiment.experiment_id))
    except Exception as error:  # mlflow, its HTTP client and its database layer share no base class
        problem = f"MLflow at {shown} cannot be read ({type(error).__name__})"
        raise TrackingError(
            f"{problem}\n    -> check its address, and the account in MLFLOW_TRACKING_USERNAME"
        ) from error
    if experiment is None:
        problem = f"{shown} has no experiment {name!r}"
        raise ConfigError([Problem("--experiment", "", problem, did_you_mean(name, names))])
    return Experiment(dict(experiment.tags), runs)


def _refuse_other_file(file: Path, shown: str) -> None:
    """Raise ConfigError unless the file is a store of MLflow, which makes one of any database it opens."""
    if not file.is_file():
        raise ConfigError([Problem("--mlflow", "", f"there is no such store, got {shown}", "check the path")])
    if not is_mlflow_store(file):
        problem = f"{shown} is no MLflow store: it lacks MLflow's tables"
        raise ConfigError(
            [Problem("--mlflow", "", problem, "name the file that MLflow wrote, say mlflow.db")]
        )


def active_runs(
    client: MlflowClient, experiment: str, order_by: Sequence[str] | None = None
) -> Iterator[Run]:
    """Yield the runs of an experiment that are not deleted, page by page."""
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment], max_results=_PAGE, order_by=order_by and list(order_by), page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def runs_pages(uri: str, sweep: str) -> dict[str, str]:
    """Return what follows the host in the addresses of the sweep's runs, by task; before its first run, of
    all experiments, by an empty name."""
    experiment = client_of(uri).get_experiment_by_name(sweep)
    if experiment is None:
        return {"": "#/experiments"}
    page = f"#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    views = sorted(key.removeprefix(VIEW) for key in experiment.tags if key.startswith(VIEW))
    return {view: f"{page}&viewStateShareKey={view}" for view in views} or {"": page}


def _oldest_first(client: MlflowClient, experiment: str) -> Iterator[ExperimentRun]:
    return map(_run, active_runs(client, experiment, ["attributes.start_time ASC"]))


def _run(run: Run) -> ExperimentRun:
    info, data = run.info, run.data
    attributes = {"run_name": info.run_name, "status": info.status, "run_id": info.run_id}
    if info.end_time is not None:
        attributes["duration_seconds"] = repr((info.end_time - info.start_time) / 1000)
    values = {f"attributes.{key}": value for key, value in attributes.items() if value}
    values |= {f"params.{key}": value for key, value in data.params.items()}
    values |= {f"tags.{key}": value for key, value in data.tags.items()}
    values |= {f"metrics.{key}": repr(value) for key, value in data.metrics.items()}
    return ExperimentRun(
        info.run_id, values, info.status == _ENDED, info.start_time / 1000, (info.end_time or 0) / 1000
    )
