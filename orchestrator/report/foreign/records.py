"""From runs to the records that a report is built from. What a run does not say is left out of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version

from orchestrator.contracts.ledger import CPU, AttemptRecord, Spending, TrialRecord
from orchestrator.contracts.metrics import METRICS, MetricName, MetricValue
from orchestrator.contracts.outcome import Device, Origin, Outcome, Parameters, Serving
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.unread_tasks import unread_task
from orchestrator.contracts.vocabulary import Figure, Phase, Source, TrialState
from orchestrator.report.foreign.runs import Run

_FINGERPRINT = "0" * 16  # that of nothing: these runs have none
_PACKAGE = "frontier-sweeps"


def records_of(
    runs: Sequence[Run], name: str, source: str, notes: Iterable[str] = ()
) -> tuple[SweepRecord, list[TrialRecord]]:
    """Return the sweep that the runs make up, and a trial per run. `source` says where they come from;
    `notes` belong with the scores of every task."""
    metrics = {run.task: run.metric for run in runs}
    trials = [_trial(run) for run in runs]
    sweep = SweepRecord(
        name=name,
        runs_from=source,
        written_at=0.0,
        frontier_version=version(_PACKAGE),
        config={},
        backbones={},
        methods={},
        tasks={
            task: _task(task, metric, [*notes, *_without_repeats(task, runs)])
            for task, metric in sorted(metrics.items())
        },
        recipes={},
        trials=tuple(trial.planned for trial in trials),
        provenance={"runs from": source},
    )
    return sweep, trials


def _without_repeats(task: str, runs: Sequence[Run]) -> list[str]:
    """Say what runs without seeds, or with one, leave open."""
    seeds: dict[tuple[str, ...], set[int | None]] = {}
    for run in runs:
        if run.task == task:
            seeds.setdefault(run.cell, set()).add(run.seed)
    if any(len(of_cell) > 1 for of_cell in seeds.values()):
        return []
    told = "name no seed" if all(of == {None} for of in seeds.values()) else "have one seed per cell"
    return [
        f"These runs {told}, so no cell was repeated: no interval can be given, and no difference is shown "
        "to be more than luck."
    ]


def _task(name: str, metric: MetricName, notes: Sequence[str]) -> TaskSpec:
    return unread_task(
        METRICS[metric].kinds[0],
        name=name,
        title=name,
        domain="any",
        metric=metric,
        paper_scoring=metric is MetricName.SUBWORD_F1,
        note=" ".join(notes) or None,
    )


def _trial(run: Run) -> TrialRecord:
    cell = Cell(model=run.model, domain=run.domain, method=run.method, task=run.task)
    resources = Resources()
    planned = PlannedTrial(cell=cell, seed=run.seed or 0, fingerprint=_FINGERPRINT, resources=resources)
    if not run.ended:
        return TrialRecord(planned=planned, state=TrialState.UNFINISHED)
    seconds = run.device_seconds
    attempt = AttemptRecord(
        attempt=1,
        fingerprint=_FINGERPRINT,
        directory="",
        ordered_at=run.ended_at,
        resources=resources,
        resumed=False,
        outcome=_outcome(run, planned.name),
        device_type=run.device_type,
        devices=run.devices,
        billed_device_seconds=seconds,
        source=Source.MISSING if seconds is None else Source.MEASURED,
    )
    spent = (
        () if seconds is None else (Spending(device_type=run.device_type, billed=seconds, useful=seconds),)
    )
    return TrialRecord(planned=planned, state=TrialState.FINISHED, attempts=(attempt,), spending=spent)


def _outcome(run: Run, name: str) -> Outcome:
    value = MetricValue(value=run.score) if run.score is not None else MetricValue(missing=run.missing)
    on_gpu = run.device_type != CPU
    total, trained, energy = run.total_parameters, run.trainable_parameters, run.energy_joules
    joules = PhaseWork(gpu_joules=energy if on_gpu else None, cpu_joules=None if on_gpu else energy)
    meter = Figure.GPU_ENERGY if on_gpu else Figure.CPU_ENERGY
    return Outcome(
        trial=name,
        fingerprint=_FINGERPRINT,
        attempt=1,
        state="finished",
        metric=run.metric,
        test={run.metric: value},
        started_at=run.ended_at,
        ended_at=run.ended_at,
        device=_device(run),
        work={} if energy is None else {Phase.TRAIN: joules},
        origins={} if energy is None else {meter: Origin(source=Source.ESTIMATED, by="as the run says")},
        parameters=Parameters(total=total, trainable=trained, adapter=trained, head=0)
        if total is not None and trained is not None
        else None,
        peak_device_memory_bytes=run.peak_memory_bytes if on_gpu else None,
        peak_host_memory_bytes=None if on_gpu else run.peak_memory_bytes,
        saved_bytes=run.saved_bytes,
        serving=() if run.latency_seconds is None else (_serving(run.latency_seconds),),
    )


def _device(run: Run) -> Device | None:
    if run.precision is None:
        return None
    return Device(type=run.device_type, count=run.devices, precision=run.precision, software=run.software)


def _serving(seconds: float) -> Serving:
    return Serving(
        batch_size=1, examples_per_second=1 / seconds if seconds else 0.0, latency_seconds=seconds, batches=1
    )
