"""`frontier ledger`: where the device time of a sweep went, with sums that agree to the last digit."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from orchestrator.cli.terminal import plain_table
from orchestrator.contracts.ledger import Use, device_unit
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.vocabulary import Phase
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.sweep_costs import DeviceCosts, Place, statements
from orchestrator.units import quantity

_MICRO = 1_000_000
_GRAIN = 3600  # device-microseconds in a millionth of a device-hour, the last digit that is shown
_UNEXPLAINED = "in no phase"
_KWH = 3.6e6  # joules


def ledger_json(ledger: Ledger) -> dict[str, object]:
    """Stable keys: sweep, devices, held_gpu_hours. Device-microseconds are whole numbers: their sums are
    exact. `held_gpu_hours`: of the cluster's nodes while runs were active; None where they were not
    counted."""
    held = ledger.held()
    return {
        "sweep": ledger.sweep().name,
        "devices": [_device_json(statement) for statement in _read(ledger)],
        "held_gpu_hours": held.gpu_seconds / 3600 if held.runs else None,
    }


def show_ledger(ledger: Ledger, console: Console) -> None:
    name, per_device = ledger.sweep().name, _read(ledger)
    if not per_device:
        console.print(f"{name}: nothing has been billed yet", highlight=False)
    for statement in per_device:
        unit = device_unit(statement.device_type)
        console.print(_time_table(statement, f"{name}: {unit} on {statement.device_type}"))
        for line in _sentences(statement, unit):
            console.print(line, highlight=False)
        console.print(_work_table(statement))
        for line in _sources(statement):
            console.print(line, highlight=False)
    if held := _held(ledger, per_device):
        console.print(held, highlight=False)


def _held(ledger: Ledger, per_device: list[DeviceCosts]) -> str | None:
    """Return a sentence on the cost of nodes while they start, wait for trials, or wait to be released: it is
    on no trial's bill."""
    held = ledger.held()
    if not held.runs:
        return None
    billed = sum(s.total() for s in per_device if device_unit(s.device_type) == "GPU-hours") / _MICRO
    hours, paid = held.gpu_seconds / 3600, billed / 3600
    return (
        f"{hours:.6f} GPU-hours were held by the cluster while runs went on, {paid:.6f} were billed to "
        "trials. A cloud's invoice follows the first figure, and adds what nodes took before Ray saw them "
        "and after the run."
    )


def _read(ledger: Ledger) -> list[DeviceCosts]:
    return statements([*ledger.trials(), *ledger.candidates(), *ledger.removed()])


def _device_json(statement: DeviceCosts) -> dict[str, object]:
    billed = statement.total()
    return {
        "device": statement.device_type,
        "unit": device_unit(statement.device_type),
        "billed_device_microseconds": billed,
        "billed_device_hours": billed / _MICRO / 3600,
        "by_use": {use.value: statement.total(use) for use in Use},
        "by_phase": {p.value: statement.total(phase=p) for p in Phase} | {"none": statement.unexplained},
        "booked": [
            {"phase": phase and phase.value, "use": use.value, "device_microseconds": amount}
            for (phase, use), amount in sorted(statement.booked.items(), key=_order)
        ],
        "unexplained_share": statement.unexplained / billed if billed else None,
        "estimated_device_microseconds": statement.estimated,
        "attempts": statement.attempts,
        "attempts_without_cost": statement.without_cost,
        "attempts_with_estimated_phases": statement.phases_estimated,
        "attempts_without_figures": statement.silent,
        "work": {phase.value: work.model_dump(mode="json") for phase, work in statement.work.items()},
        "sources": [
            {"figure": figure.value, "source": origin.source.value, "by": origin.by, "attempts": count}
            for (figure, origin), count in statement.origins.items()
        ],
        "saved_bytes": statement.saved_bytes,
    }


def _order(entry: tuple[Place, int]) -> tuple[int, int]:
    (phase, use), _ = entry
    return len(Phase) if phase is None else list(Phase).index(phase), list(Use).index(use)


def _time_table(statement: DeviceCosts, title: str) -> Table:
    """Each cell is rounded once, and the sums are those of the rounded cells."""
    cells = {key: round(amount / _GRAIN) for key, amount in statement.booked.items()}
    uses = [use for use in Use if any(what is use for _, what in cells)]
    table = plain_table("phase", title=title, numbers=[*(use.value for use in uses), "all"])
    for phase in (*Phase, None):
        row = [cells.get((phase, use), 0) for use in uses]
        if any(row) or phase is None:
            name = _UNEXPLAINED if phase is None else phase.value
            table.add_row(name, *map(_hours, [*row, sum(row)]))
    sums = [sum(n for (_, what), n in cells.items() if what is use) for use in uses]
    table.add_section()
    table.add_row("all", *map(_hours, [*sums, sum(sums)]), style="bold")
    return table


def _hours(millionths: int) -> str:
    return f"{millionths // _MICRO}.{millionths % _MICRO:06d}" if millionths else "-"


def _sentences(statement: DeviceCosts, unit: str) -> list[str]:
    billed = statement.total()
    if not billed:
        return [f"{quantity(statement.attempts, 'attempt')}, none of them billed"]
    lines = [f"{statement.unexplained / billed:.2%} of what was billed is in no phase."]
    if start := statement.total(phase=Phase.START):
        each = f"{start / _MICRO / statement.attempts:.1f} {unit.removesuffix('hours')}seconds per attempt"
        lines.append(f"{start / billed:.0%} of what was billed went into starting attempts: {each}.")
    if statement.estimated:
        hours = statement.estimated / _MICRO / 3600
        lines.append(
            f"{hours:.6f} {unit} are estimated, from the order of an attempt to its last heartbeat, "
            "because no bill was written."
        )
    if statement.without_cost:
        lines.append(
            f"{quantity(statement.without_cost, 'attempt')} left no bill and no heartbeat; the cost is "
            "unknown."
        )
    if statement.phases_estimated:
        lines.append(
            f"The phases of {quantity(statement.phases_estimated, 'killed attempt')} are estimated from "
            "their events."
        )
    return lines


def _work_table(statement: DeviceCosts) -> Table:
    numbers = ("tokens", "FLOPs", "GPU kWh", "CPU kWh", "host memory", "device memory")
    table = plain_table("phase", numbers=numbers)
    for phase in Phase:
        if phase in statement.work:
            table.add_row(phase.value, *_figures(statement.work[phase]))
    return table


def _figures(work: PhaseWork) -> list[str]:
    return [
        "-" if work.tokens is None else f"{work.tokens:,}",
        "-" if work.flops is None else f"{work.flops:.3g}",
        *("-" if joules is None else f"{joules / _KWH:.6f}" for joules in (work.gpu_joules, work.cpu_joules)),
        *(_gib(size) for size in (work.peak_host_memory_bytes, work.peak_device_memory_bytes)),
    ]


def _gib(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / 2**30:.2f} GiB"


def _sources(statement: DeviceCosts) -> list[str]:
    lines = []
    for (figure, origin), count in sorted(statement.origins.items(), key=lambda entry: entry[0][0]):
        name = figure.value.replace("_", " ")
        lines.append(f"{name}: {origin.source} in {count} attempts: {origin.by}")
    if statement.silent:
        lines.append(f"{quantity(statement.silent, 'attempt')} recorded durations only")
    return lines
