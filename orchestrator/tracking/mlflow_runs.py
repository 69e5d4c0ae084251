"""What the MLflow run of a trial says. Pure: from records to names and figures; no client."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.caveats import caveats, changed_data, distinct
from orchestrator.contracts.compared_cost import shared_a_gpu
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.markdown import plain
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import AttemptOrder, TrialSpec
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.tracking.events import curves
from orchestrator.tracking.mlflow_figures import CURRENCY, usual_figures

TRIAL = "frontier.trial"
DIGEST = "frontier.digest"
SWEEP_ID = "frontier.sweep_id"  # of the records that a run was written from
STATE = "state"
REMOVED = "frontier.removed"  # whether the trial is no longer in the grid; of stale runs
STANDALONE = "frontier.standalone"  # what the calibration measured for a trial that shares a GPU
KIND = "frontier.kind"
TRIAL_KIND, CANDIDATE_KIND, SUMMARY_KIND = "trial", "candidate", "summary"
INVENTED = "The text of this task is invented: scores show that the pipeline works, nothing about medicine."
_VERSION = "3"  # of this layout of runs: another one republishes every run
_MIB = 2**20
COUNTS = {"cut", "mentions", "mentions_cut", "absent_classes", "near_train"} | {
    f"{what}also_in_{split}" for what in ("", "ids_") for split in ("train", "dev")
}
_ENDED = (TrialState.FINISHED, TrialState.FAILED)
_STATUS = {TrialState.FINISHED: "FINISHED", TrialState.FAILED: "FAILED", TrialState.UNFINISHED: "KILLED"}


@dataclass(frozen=True)
class MetricPoint:
    """One value of a metric; `at` is a Unix time in seconds."""

    name: str
    value: float
    at: float
    step: int = 0


@dataclass(frozen=True)
class RunContent:
    """One flat run. `digest` changes exactly when the rest may have changed."""

    name: str
    status: str
    started_at: float
    ended_at: float | None
    params: dict[str, str]
    tags: dict[str, str]
    finals: dict[str, float]
    digest: str


def describe(record: TrialRecord, sweep: SweepRecord) -> RunContent | None:
    """Return the run of a trial or candidate without its curves; None if nothing ran as planned."""
    current = record.current
    if not current or record.state not in _STATUS:
        return None
    outcome = record.outcome
    params, tags, finals = _params(record, sweep), _tags(record, sweep), _finals(record, sweep)
    event_sizes = [[a.attempt, _size(Path(a.directory) / layout.EVENTS)] for a in current]
    ended = outcome.ended_at if outcome is not None and record.state in _ENDED else None
    content = [_VERSION, record.state, current[0].ordered_at, ended, params, tags, finals, event_sizes]
    return RunContent(
        name=record.name,
        status=_STATUS[record.state],
        started_at=current[0].ordered_at,
        ended_at=ended,
        params=params,
        tags=tags,
        finals=finals,
        digest=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16],
    )


def curve_points(record: TrialRecord) -> list[MetricPoint]:
    """Loss, learning rate and dev metrics by optimiser step, with the seconds of training until then and
    whether all was one class. The slash groups them in the MLflow charts."""
    steps, evaluations = curves(record.current)
    points = [
        MetricPoint(name, value, e.at, e.step)
        for e in steps
        for name, value in (("train/loss", e.loss), ("train/learning_rate", e.learning_rate))
    ]
    points += [
        MetricPoint(f"dev/{metric}", metric_value.value, e.at, e.step)
        for e in evaluations
        for metric, metric_value in e.metrics.items()
        if metric_value.value is not None
    ]
    for e in evaluations:
        points.append(MetricPoint("dev/collapsed", float(e.collapsed), e.at, e.step))
        if e.train_seconds is not None:
            points.append(MetricPoint("dev/train_seconds", e.train_seconds, e.at, e.step))
    return points


def data_digest(record: TrialRecord) -> str | None:
    """Return the digest of the trial's data, from its order; None if it is not known."""
    return _order(record).digests.data


def _order(record: TrialRecord) -> TrialSpec:
    order = (Path(record.current[-1].directory) / layout.ORDER).read_bytes()
    return AttemptOrder.model_validate_json(order).trial


def _trained_as(record: TrialRecord, sweep: SweepRecord) -> tuple[MethodSpec, Recipe]:
    """Return a candidate's settings from its order: the sweep's record has those that the seeds are trained
    with."""
    cell = record.planned.cell
    if record.planned.candidate is None:
        return sweep.method_of(cell), sweep.recipes[cell.name]
    trial = _order(record)
    return trial.method, trial.recipe


def _params(record: TrialRecord, sweep: SweepRecord) -> dict[str, str]:
    cell = record.planned.cell
    backbone = sweep.backbones[cell.backbone_key]
    method, recipe = _trained_as(record, sweep)
    params: dict[str, object] = {
        **cell.model_dump(),
        "seed": record.planned.seed,
        **_fold(record),
        "backbone": backbone.name,
        "architecture": backbone.architecture,
        **{f"method.{k}": v for k, v in method.settings.model_dump().items()},
        **{f"recipe.{k}": v for k, v in recipe.model_dump().items()},
        "resources.cpus": record.planned.resources.cpus,
        "resources.gpus": record.planned.resources.gpus,
    }
    if record.outcome is not None and record.outcome.device is not None:
        params |= {f"software.{k}": v for k, v in record.outcome.device.software.items()}
    if record.outcome is not None:
        params |= {f"rows.{k}": v for k, v in record.outcome.rows.items()}
    return {k: str(v) for k, v in params.items() if v is not None}


def _tags(record: TrialRecord, sweep: SweepRecord) -> dict[str, str]:
    cell = record.planned.cell
    task, outcome = sweep.tasks[cell.task], record.outcome
    tags = {
        TRIAL: record.name,
        KIND: TRIAL_KIND if record.planned.candidate is None else CANDIDATE_KIND,
        "frontier.sweep": sweep.name,
        **cell.model_dump(),
        "backbone": sweep.backbones[cell.backbone_key].name,
        "seed": str(record.planned.seed),
        "fingerprint": record.planned.fingerprint,
        STATE: record.state.value,
        "primary_metric": task.metric.value,
        "invented": str(task.invented).lower(),
    }
    tags |= _fold(record) | _tuning_tags(record, sweep)
    calibrated = sweep.standalone.get(cell.name) if shared_a_gpu(record) else None
    if calibrated is not None and record.planned.candidate is None:
        tags[STANDALONE] = calibrated.model_dump_json()
    if sweep.prices is not None:
        tags[CURRENCY] = sweep.prices.currency
    notes = [INVENTED] if task.invented else []
    notes += [task.note] if task.note else []
    if outcome is not None and outcome.device is not None:
        tags |= {"device": outcome.device.type, "precision": outcome.device.precision.value}
    if outcome is not None and outcome.failure is not None:
        tags["failure"] = outcome.failure.kind.value
        tags["failure.phase"] = outcome.failure.phase.value
        notes.insert(0, f"Failed in phase {outcome.failure.phase}: {outcome.failure.message}")
    if outcome is not None:
        finished = record.state is TrialState.FINISHED
        changed = changed_data(int(finished and sweep.data_changed(task.name, outcome.ended_at)))
        if lines := [*changed, *caveats(task, distinct([outcome]))]:
            tags["caveats"] = " ".join(lines)
            notes += lines
    if outcome is not None:
        tags |= {f"source.{figure}": origin.source.value for figure, origin in outcome.origins.items()}
    if outcome is not None and outcome.signature is not None:
        tags["signature"] = outcome.signature.value
    if notes:
        tags["mlflow.note.content"] = "\n\n".join(map(plain, notes))
    return tags


def _fold(record: TrialRecord) -> dict[str, str]:
    """Return which fold of how many the trial is scored on; nothing where the task has a test part."""
    fold = record.planned.fold
    return {} if fold is None else {"fold": str(fold.number), "folds": str(fold.of)}


def _tuning_tags(record: TrialRecord, sweep: SweepRecord) -> dict[str, str]:
    """Return which candidate the trial is, or which one its settings come from."""
    candidate, tuned = record.planned.candidate, sweep.tuned.get(record.planned.cell.name)
    if candidate is not None:
        won = tuned is not None and tuned.candidate == candidate
        return {"candidate": str(candidate), "winner": str(won).lower()}
    if tuned is None:
        return {}
    values = {f"tuned.{key}": str(value) for key, value in tuned.values.items()}
    return values | {"tuned.candidate": str(tuned.candidate)}


def _finals(record: TrialRecord, sweep: SweepRecord) -> dict[str, float]:
    finished, trial = record.state is TrialState.FINISHED, record.planned.candidate is None
    figures: dict[str, float | None] = {
        "billed_device_seconds": record.billed_device_seconds,
        "useful_device_seconds": record.useful_device_seconds if finished and trial else None,
        "wasted_device_seconds": record.wasted_device_seconds if trial else None,
        "attempts": len(record.current),
        **usual_figures(record, sweep),
    }
    if record.outcome is not None:
        figures = _outcome_figures(record.outcome) | figures
    return {name: float(value) for name, value in figures.items() if value is not None}


def _outcome_figures(outcome: Outcome) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "quality": quality(outcome.metric, outcome.test),
        **{f"test_{name}": value.value for name, value in outcome.test.items()},
        **{f"dev_{name}": value.value for name, value in outcome.dev.items()},
        **{f"guessing_{name}": value for name, value in outcome.guessing.items()},
        "steps": outcome.steps,
        "best_step": outcome.best_step,
        "tokens_per_second": outcome.tokens_per_second,
        "peak_host_memory_mib": _mib(outcome.peak_host_memory_bytes),
        "peak_device_memory_mib": _mib(outcome.peak_device_memory_bytes),
    }
    for split, counts in outcome.counted.items():
        for name, count in counts.model_dump(include=COUNTS).items():
            figures[f"{split}_{name}"] = count
        for name, kinds in (("skipped", counts.skipped), ("set_aside", counts.set_aside)):
            figures[f"{split}_{name}"] = None if kinds is None else sum(kinds.values())
    for phase, seconds in {**outcome.phases, **outcome.result_phases}.items():
        figures[f"{phase}_seconds"] = seconds
    work = outcome.result_work
    figures |= {"flops": work.flops, "tokens": work.tokens, "saved_bytes": outcome.saved_bytes}
    figures |= {"gpu_energy_joules": work.gpu_joules, "cpu_energy_joules": work.cpu_joules}
    for served in outcome.serving:
        figures[f"serve_{served.batch_size}_examples_per_second"] = served.examples_per_second
        figures[f"serve_{served.batch_size}_latency_seconds"] = served.latency_seconds
    if outcome.parameters is not None:
        figures["total_parameters"] = outcome.parameters.total
        figures["trainable_parameters"] = outcome.parameters.trainable
        figures["head_parameters"] = outcome.parameters.head
    return figures


def _mib(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / _MIB


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
