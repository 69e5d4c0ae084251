"""From the MLflow run of a trial back to its record: the inverse of `mlflow_runs.describe`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.contracts.fold import Fold
from orchestrator.contracts.ledger import AttemptRecord, Spending, TrialRecord
from orchestrator.contracts.metrics import MetricName, MetricValue
from orchestrator.contracts.outcome import Device, Failure, Origin, Outcome, Parameters, Serving
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import (
    FailureKind,
    Figure,
    Phase,
    Precision,
    Signature,
    Source,
    Split,
    TrialState,
)
from orchestrator.tracking.mlflow_reader import ExperimentRun
from orchestrator.tracking.mlflow_runs import CANDIDATE_KIND, COUNTS, KIND, STANDALONE, STATE, TRIAL_KIND

_MIB = 2**20
_NOT_STATED = "as MLflow has it"
_KINDS = (TRIAL_KIND, CANDIDATE_KIND)


class _Values:
    """The values of a run by kind; a figure that is not there is None."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def tag(self, name: str) -> str | None:
        return self._values.get(f"tags.{name}")

    def param(self, name: str) -> str | None:
        return self._values.get(f"params.{name}")

    def params(self, prefix: str) -> dict[str, str]:
        start = f"params.{prefix}"
        return {k.removeprefix(start): v for k, v in self._values.items() if k.startswith(start)}

    def metric(self, name: str) -> float | None:
        value = self._values.get(f"metrics.{name}")
        return None if value is None else float(value)

    def whole(self, name: str, times: float = 1) -> int | None:
        value = self.metric(name)
        return None if value is None else round(value * times)

    def scores(self, prefix: str) -> dict[MetricName, MetricValue]:
        named = {name: self.metric(f"{prefix}{name}") for name in MetricName}
        return {name: MetricValue(value=value) for name, value in named.items() if value is not None}


def standalone_of(run: ExperimentRun) -> Standalone | None:
    """Return what the calibration measured for the trial, None where it did not share a GPU. Raises
    pydantic.ValidationError where the tag was changed."""
    tag = _Values(run.values).tag(STANDALONE)
    return None if tag is None else Standalone.model_validate_json(tag)


def recipe_of(run: ExperimentRun) -> Recipe:
    """Return the recipe of a trial. Raises pydantic.ValidationError where its params are not one."""
    return Recipe.model_validate(_Values(run.values).params("recipe."))


def trial_of(run: ExperimentRun) -> TrialRecord | None:
    """Return the record of a trial or candidate, as far as MLflow has it; None for other runs."""
    values = _Values(run.values)
    if values.tag(KIND) not in _KINDS:
        return None
    planned = _planned(values)
    state = TrialState(values.tag(STATE) or TrialState.UNFINISHED)
    device_type = values.tag("device") or ("cpu" if not planned.resources.gpus else "unknown GPU")
    ended = state in (TrialState.FINISHED, TrialState.FAILED)
    outcome = _outcome(run, values, planned, state, device_type) if ended else None
    billed = values.metric("billed_device_seconds") or 0.0
    attempt = AttemptRecord(
        attempt=values.whole("attempts") or 1,
        fingerprint=planned.fingerprint,
        directory="",
        ordered_at=run.started_at,
        resources=planned.resources,
        resumed=False,
        outcome=outcome,
        device_type=device_type,
        devices=planned.resources.devices,
        billed_device_seconds=billed,
        source=Source.MEASURED,
    )
    return TrialRecord(
        planned=planned,
        state=state,
        attempts=(attempt,),
        spending=(_spending(values, planned, state, device_type),),
    )


def _planned(values: _Values) -> PlannedTrial:
    cell = Cell(**{field: values.tag(field) for field in Cell.model_fields})
    candidate, fold, of = values.tag("candidate"), values.tag("fold"), values.tag("folds")
    return PlannedTrial(
        cell=cell,
        seed=int(values.tag("seed") or 0),
        fingerprint=values.tag("fingerprint") or "",
        resources=Resources.model_construct(
            cpus=int(values.param("resources.cpus") or 1), gpus=float(values.param("resources.gpus") or 0)
        ),
        candidate=None if candidate is None else int(candidate),
        fold=None if fold is None else Fold.model_validate({"number": fold, "of": of}),
    )


def _spending(values: _Values, planned: PlannedTrial, state: TrialState, device_type: str) -> Spending:
    billed = values.metric("billed_device_seconds") or 0.0
    if state is TrialState.STALE:
        return Spending(device_type=device_type, billed=billed, superseded=billed)
    if planned.candidate is not None:
        return Spending(device_type=device_type, billed=billed, tuning=billed)
    useful, wasted = values.metric("useful_device_seconds"), values.metric("wasted_device_seconds") or 0.0
    rest = max(0.0, billed - (useful or 0.0) - wasted)
    return Spending(
        device_type=device_type,
        billed=billed,
        useful=useful or 0.0,
        wasted=wasted,
        overhead=0.0 if useful is None else rest,
        unfinished=rest if useful is None else 0.0,
    )


def _outcome(
    run: ExperimentRun, values: _Values, planned: PlannedTrial, state: TrialState, device_type: str
) -> Outcome:
    signature = values.tag("signature")
    phases = {phase: values.metric(f"{phase}_seconds") for phase in Phase}
    work = PhaseWork(
        gpu_joules=values.metric("gpu_energy_joules"),
        cpu_joules=values.metric("cpu_energy_joules"),
        flops=values.metric("flops"),
        tokens=values.whole("tokens"),
    )
    origins = {figure: values.tag(f"source.{figure}") for figure in Figure}
    return Outcome(
        trial=planned.name,
        fingerprint=planned.fingerprint,
        attempt=1,
        state="finished" if state is TrialState.FINISHED else "failed",
        failure=_failure(values) if state is TrialState.FAILED else None,
        metric=MetricName(values.tag("primary_metric") or ""),
        test=values.scores("test_"),
        dev=values.scores("dev_"),
        best_step=values.whole("best_step"),
        signature=None if signature is None else Signature(signature),
        steps=values.whole("steps") or 0,
        started_at=run.started_at,
        ended_at=run.ended_at,
        phases={phase: seconds for phase, seconds in phases.items() if seconds is not None},
        work={} if work == PhaseWork() else {Phase.TRAIN: work},
        origins={f: Origin(source=Source(s), by=_NOT_STATED) for f, s in origins.items() if s is not None},
        device=_device(values, planned, device_type),
        parameters=_parameters(values),
        peak_host_memory_bytes=values.whole("peak_host_memory_mib", _MIB),
        peak_device_memory_bytes=values.whole("peak_device_memory_mib", _MIB),
        tokens_per_second=values.metric("tokens_per_second"),
        rows={name: int(count) for name, count in values.params("rows.").items()},
        splits=_splits(values),
        guessing={name: score.value for name, score in values.scores("guessing_").items()},
        saved_bytes=values.whole("saved_bytes"),
        serving=_serving(values),
    )


def _failure(values: _Values) -> Failure:
    kind = FailureKind(values.tag("failure") or FailureKind.BUG)
    return Failure(kind=kind, phase=Phase(values.tag("failure.phase") or Phase.TRAIN), message=_NOT_STATED)


def _device(values: _Values, planned: PlannedTrial, device_type: str) -> Device | None:
    precision = values.tag("precision")
    if precision is None:
        return None
    return Device(
        type=device_type,
        count=planned.resources.devices,
        precision=Precision(precision),
        software=values.params("software."),
    )


def _parameters(values: _Values) -> Parameters | None:
    total, trainable = values.whole("total_parameters"), values.whole("trainable_parameters")
    head = values.whole("head_parameters")
    if total is None or trainable is None or head is None:
        return None
    return Parameters(total=total, trainable=trainable, adapter=max(0, trainable - head), head=head)


def _splits(values: _Values) -> dict[Split, SplitCounts]:
    splits = {}
    for split in Split:
        examples = values.param(f"rows.{split}")
        counts = {name: values.whole(f"{split}_{name}") for name in COUNTS}
        kinds = {name: values.whole(f"{split}_{name}") for name in ("skipped", "set_aside")}
        if examples is not None and any(count is not None for count in (*counts.values(), *kinds.values())):
            named = {name: None if n is None else {"": n} for name, n in kinds.items()}
            splits[split] = SplitCounts(examples=int(examples), **counts, **named)
    return splits


def _serving(values: _Values) -> tuple[Serving, ...]:
    timed = []
    for size in (1, 64):
        latency = values.metric(f"serve_{size}_latency_seconds")
        speed = values.metric(f"serve_{size}_examples_per_second")
        if latency is not None and speed is not None:
            timed.append(
                Serving(batch_size=size, examples_per_second=speed, latency_seconds=latency, batches=1)
            )
    return tuple(timed)
