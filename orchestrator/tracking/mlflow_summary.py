"""The summary run of a sweep and the description of its MLflow experiment. Pure."""

from __future__ import annotations

import hashlib
import json

from orchestrator.contracts.ledger import Totals
from orchestrator.contracts.markdown import plain
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.tracking.mlflow_figures import hours_metric
from orchestrator.tracking.mlflow_record import record_tags
from orchestrator.tracking.mlflow_runs import INVENTED, KIND, STATE, SUMMARY_KIND, TRIAL, RunContent
from orchestrator.tracking.mlflow_views import shared_views

_NOTE = "mlflow.note.content"


def summary_run(sweep: SweepRecord, totals: Totals, note: str) -> RunContent:
    """Counts and device-hours of the whole sweep. `note` is Markdown, shown as the run's description."""
    name = f"summary of {sweep.name}"
    finals = {f"trials_{state}": float(count) for state, count in totals.trials.items()}
    finals |= {"refused_cells": float(totals.refused_cells), "attempts": float(totals.attempts)}
    for spending in totals.spending:
        unit = hours_metric(spending.device_type)
        where = "" if len(totals.spending) == 1 else "_" + _slug(spending.device_type)
        for kind in ("billed", "useful", "overhead", "wasted", "unfinished", "superseded", "tuning"):
            finals[f"{kind}_{unit}{where}"] = getattr(spending, kind) / 3600
    done = totals.trials.get(TrialState.FINISHED, 0) == len(sweep.trials)
    tags = {
        TRIAL: name,  # no trial: the key under which the run is found again
        KIND: SUMMARY_KIND,
        "frontier.sweep": sweep.name,
        STATE: "finished" if done else "unfinished",
        _NOTE: "\n\n".join(part for part in (_description(sweep), note[:6000]) if part),
    }
    params = {"frontier_version": sweep.frontier_version, **sweep.provenance}
    content = [name, finals, tags, params]
    return RunContent(
        name=name,
        status="FINISHED",
        started_at=sweep.written_at,
        ended_at=None,
        params=params,
        tags=tags,
        finals=finals,
        digest=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16],
    )


def experiment_tags(sweep: SweepRecord) -> dict[str, str]:
    """Return the description, the kind that makes the interface open on runs and charts instead of traces,
    and a shared view per task."""
    return {
        _NOTE: _description(sweep),
        "mlflow.experimentKind": "custom_model_development",
        **shared_views(sweep),
        **record_tags(sweep),
    }


def _description(sweep: SweepRecord) -> str:
    parts = [f"**{plain(sweep.question)}**"] if sweep.question else []
    parts.append(
        f"{len(sweep.trials)} trials over {len(sweep.recipes)} cells. One run a trial; `quality` is "
        "the task's primary metric on test, higher is better. Group by `model`, `domain`, `method` or `task`."
    )
    invented = sorted(task.name for task in sweep.tasks.values() if task.invented)
    if invented:
        parts.append(f"{INVENTED} ({', '.join(invented)})")
    parts += [
        plain(f"{t.title}: {t.note}") for t in sorted(sweep.tasks.values(), key=lambda t: t.name) if t.note
    ]
    return "\n\n".join(parts)


def _slug(device_type: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in device_type.lower())
