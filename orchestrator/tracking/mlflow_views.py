"""Views of a sweep's experiment that the MLflow interface opens with, one per task. Pure.

The interface keeps a shared view as a tag of the experiment, `mlflow.sharedViewState.KEY`, and opens it where
the address of the runs has `viewStateShareKey=KEY`.
"""

from __future__ import annotations

import json

from orchestrator.contracts.sweep import SweepRecord
from orchestrator.tracking.mlflow_figures import COST, LATENCY, MEMORY, cost_axes
from orchestrator.tracking.mlflow_runs import KIND, TRIAL_KIND

VIEW = "mlflow.sharedViewState."


def shared_views(sweep: SweepRecord) -> dict[str, str]:
    """Return a tag per task: a view of its trials by method, the best quality first, with what they cost."""
    return {f"{VIEW}{task}": json.dumps(_view(sweep, task), sort_keys=True) for task in sorted(sweep.tasks)}


def _view(sweep: SweepRecord, task: str) -> dict[str, object]:
    money = [COST] if sweep.prices is not None else []
    metrics = ["quality", *cost_axes(sweep, task), *money, LATENCY, MEMORY, "trainable_parameters"]
    params = [f"params.`{name}`" for name in ("method", "model", "domain")]
    return {
        "searchFilter": f'tags.task = "{task}" and tags.`{KIND}` = "{TRIAL_KIND}"',
        "orderByKey": "metrics.`quality`",
        "orderByAsc": False,
        "selectedColumns": [*params, *(f"metrics.`{name}`" for name in metrics)],
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "param", "groupByData": "method"}],
        },
        "viewMaximized": True,
    }
