"""The figures of a trial under the names that a person looks for in MLflow, in the units of the report. Pure.

`core_hours` or `gpu_hours` is the cost on the frontier's axis: the useful device-hours of one trial. What was
paid for it is `billed_core_hours` or `billed_gpu_hours`. A figure that could not be measured is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.contracts.compared_cost import compared_device_seconds, shared_a_gpu
from orchestrator.contracts.ledger import CPU, AttemptRecord, TrialRecord, device_unit
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.tracking.energy import energy_of
from orchestrator.tracking.prices import DeviceUse, pricing_of

_GIB = 2**30
_HOUR = 3600
COST, CURRENCY = "cost", "currency"
LATENCY, MEMORY = "latency_ms", "peak_device_memory_gib"


def hours_metric(device_type: str) -> str:
    """Return `core_hours` for cores and `gpu_hours` for GPUs."""
    return device_unit(device_type).replace("-", "_").lower()


def usual_figures(record: TrialRecord, sweep: SweepRecord) -> Mapping[str, float | None]:
    """Return hours, energy, money, memory and latency of a trial; None for what was not measured.

    The energy, the latency and the hours of a trial that had a part of a GPU say as much about its neighbours
    as about itself, so they are missing, or those of its family's calibration.
    """
    figures: dict[str, float | None] = {}
    attempt, outcome = record.decisive, record.outcome
    if record.current:
        last = record.current[-1] if attempt is None else attempt
        figures[f"billed_{hours_metric(last.device_type)}"] = record.billed_device_seconds / _HOUR
    if attempt is not None and outcome is not None:
        memory = outcome.peak_device_memory_bytes
        figures[MEMORY] = None if memory is None else memory / _GIB
        if record.state is TrialState.FINISHED and record.planned.candidate is None:
            figures |= _compared(record, outcome, attempt, sweep)
    return figures


def latency_ms(outcome: Outcome) -> float | None:
    """Return the milliseconds of one answer at a time."""
    return next((1000 * s.latency_seconds for s in outcome.serving if s.batch_size == 1), None)


def _compared(
    record: TrialRecord, outcome: Outcome, attempt: AttemptRecord, sweep: SweepRecord
) -> Mapping[str, float | None]:
    """Return the costs that the report compares."""
    device_type = attempt.device_type if outcome.device is None else outcome.device.type
    seconds, shared = compared_device_seconds(record, sweep.standalone), shared_a_gpu(record)
    energy = None if shared else energy_of(outcome, outcome.result_work, device_type)
    pricing = pricing_of(sweep)
    return {
        hours_metric(device_type): None if seconds is None else seconds / _HOUR,
        "energy_kwh": None if energy is None else energy.kwh,
        COST: None if pricing is None else pricing.money(DeviceUse(device_type, seconds, energy)).value,
        LATENCY: None if shared else latency_ms(outcome),
    }


def cost_axes(sweep: SweepRecord, task: str) -> list[str]:
    """Return the names under which the trials of a task have the cost on the frontier's axis, as planned."""
    gpus = {trial.resources.gpus > 0 for trial in sweep.trials if trial.cell.task == task}
    return [hours_metric("a GPU" if on_gpu else CPU) for on_gpu in sorted(gpus)]
