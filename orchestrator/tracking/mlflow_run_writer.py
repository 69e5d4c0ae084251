"""Writes one run to MLflow, in as few calls as MLflow allows, because each takes milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, TypeVar

from orchestrator.tracking.mlflow_runs import DIGEST, MetricPoint, RunContent

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

_METRICS_A_BATCH = 800  # MLflow takes 1,000 of metrics, parameters and tags together
_PARAMS_A_BATCH = 100
_DIGEST_LENGTH = 36  # characters of a dataset's digest that MLflow takes
_T = TypeVar("_T")


def write_run(
    client: MlflowClient,
    experiment: str,
    content: RunContent,
    tags: Mapping[str, str],
    curve: Sequence[MetricPoint],
    data: str | None,
) -> str:
    """Write a run with its final figures and its curve, and return its id. `data`: the digest of the task's
    data. The run gets the digest of its content at the end: one without was interrupted."""
    started = round(content.started_at * 1000)
    run = client.create_run(experiment, start_time=started, tags=dict(tags), run_name=content.name)
    identity: str = run.info.run_id
    ended_at = content.started_at if content.ended_at is None else content.ended_at
    finals = [MetricPoint(name, value, ended_at) for name, value in content.finals.items()]
    if data is not None:
        client.log_inputs(identity, [_dataset(content.params["task"], data)])
    client.set_terminated(identity, status=content.status, end_time=round(ended_at * 1000))
    _log(client, identity, content, [*finals, *curve])
    return identity


def _dataset(task: str, digest: str) -> DatasetInput:
    """Return the data of a task as MLflow lists it: name and digest, and nothing of where the files are."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name=task, digest=digest[:_DIGEST_LENGTH], source_type="frontier", source="{}")
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _log(client: MlflowClient, run: str, content: RunContent, points: Iterable[MetricPoint]) -> None:
    """Log parameters and metrics. The digest is in the last call, which the store writes after the rest."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = list(
        _batches((Metric(p.name, p.value, round(p.at * 1000), p.step) for p in points), _METRICS_A_BATCH)
    )
    params = list(_batches((Param(k, v) for k, v in content.params.items()), _PARAMS_A_BATCH))
    calls = list(zip_longest(metrics, params, fillvalue=())) or [((), ())]
    for number, (some_metrics, some_params) in enumerate(calls, start=1):
        tags = [RunTag(DIGEST, content.digest)] if number == len(calls) else []
        client.log_batch(run, metrics=some_metrics, params=some_params, tags=tags)


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
