"""`frontier status`: the status of a sweep, from its records."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console

from orchestrator.cli.cluster.copy_note import show_copied
from orchestrator.cli.run.kept_text import kept_line, over_limit_line
from orchestrator.cli.terminal import plain_table, styled
from orchestrator.contracts.caveats import caveats, changed_data, distinct
from orchestrator.contracts.kept_weights import KeptWeights
from orchestrator.contracts.ledger import Totals, TrialRecord, device_unit
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.trial_costs import totals_of

_HOUR = 3600.0
_MOST_FAILED = 20
_PARTS = ("useful", "overhead", "wasted", "unfinished", "superseded", "tuning")


def status_json(ledger: Ledger) -> dict[str, object]:
    """Stable keys: sweep, trials {state: count}, refused, attempts, device_hours, tuning, by_task, weights
    {keep_gib, bytes, kept, over_limit}, caveats, failed."""
    sweep, records, candidates, totals = _read(ledger)
    by_task: dict[str, Counter[str]] = {}
    failed = []
    for record in records:
        by_task.setdefault(record.planned.cell.task, Counter())[record.state.value] += 1
        failure = record.outcome.failure if record.outcome and record.state is TrialState.FAILED else None
        if failure is not None:
            failed.append(
                {
                    "trial": record.name,
                    "kind": failure.kind.value,
                    "phase": failure.phase.value,
                    "message": failure.message,
                }
            )
    return {
        "sweep": sweep.name,
        "trials": {state.value: count for state, count in totals.trials.items()},
        "refused": totals.refused_cells,
        "attempts": totals.attempts,
        "device_hours": [
            {
                "device": s.device_type,
                "unit": device_unit(s.device_type),
                **{key: getattr(s, key) / _HOUR for key in ("billed", *_PARTS)},
            }
            for s in totals.spending
        ],
        "tuning": {
            "searches": len({record.planned.cell for record in candidates}),
            "over": len(sweep.tuned),
            "candidates": dict(Counter(record.state.value for record in candidates)),
            "tuned": {cell: tuned.model_dump(mode="json") for cell, tuned in sweep.tuned.items()},
        },
        "by_task": {task: dict(counts) for task, counts in by_task.items()},
        "weights": _weights_json(_weights(ledger, sweep)),
        "caveats": _caveats(sweep, records),
        "failed": failed,
    }


def show_status(ledger: Ledger, console: Console) -> None:
    status: dict[str, Any] = status_json(ledger)
    states = [state for state, count in status["trials"].items() if count]
    table = plain_table("task", title=status["sweep"], numbers=states)
    for task, counts in status["by_task"].items():
        table.add_row(task, *(str(counts.get(state, 0)) for state in states))
    console.print(table)
    show_copied(ledger, console)
    if status["refused"]:
        console.print(f"{status['refused']} cells refused")
    if tuning := status["tuning"]["searches"]:
        tried = ", ".join(f"{count} {state}" for state, count in status["tuning"]["candidates"].items())
        console.print(
            f"{status['tuning']['over']} of {tuning} searches over; candidates: {tried}", highlight=False
        )
    for spent in status["device_hours"]:
        parts = ", ".join(f"{spent[key]:.3f} {key}" for key in _PARTS if spent[key])
        console.print(f"{spent['billed']:.3f} {spent['unit']} on {spent['device']}: {parts}", highlight=False)
    weights = _weights(ledger, ledger.sweep())
    if weights is not None and (weights.kept or weights.dropped):
        console.print(kept_line(weights), highlight=False)
        if line := over_limit_line(weights):
            console.print(styled("weights", "yellow"), line, highlight=False)
    for task, lines in status["caveats"].items():
        for line in lines:
            console.print(styled(f"{task}:", "yellow"), line, highlight=False)
    for failure in status["failed"][:_MOST_FAILED]:
        console.print(
            styled(failure["kind"], "red"),
            f"{failure['trial']} in {failure['phase']}: {failure['message']}",
            highlight=False,
        )


def _weights(ledger: Ledger, sweep: SweepRecord) -> KeptWeights | None:
    """Return what `keep_weights: frontier` keeps; None where the sweep keeps otherwise, or has not begun."""
    return ledger.weights() if sweep.config.get("keep_weights", "frontier") == "frontier" else None


def _weights_json(weights: KeptWeights | None) -> dict[str, object] | None:
    if weights is None:
        return None
    return {
        "keep_gib": weights.keep_gib,
        "bytes": weights.bytes,
        "kept": [model.trial for model in weights.kept],
        "over_limit": list(weights.over_limit),
    }


def _caveats(sweep: SweepRecord, records: list[TrialRecord]) -> dict[str, list[str]]:
    """Return, by task, the caveats that follow from what its trials have counted, and from changed files."""
    outcomes: dict[str, list[Outcome]] = {}
    for record in records:
        if record.outcome is not None:
            outcomes.setdefault(record.planned.cell.task, []).append(record.outcome)
    changed = Counter(
        record.planned.cell.task
        for record in records
        if record.outcome is not None
        and record.state is TrialState.FINISHED
        and sweep.data_changed(record.planned.cell.task, record.outcome.ended_at)
    )
    lines_by_task = {
        task: [*changed_data(changed[task]), *caveats(sweep.tasks[task], distinct(ended))]
        for task, ended in outcomes.items()
    }
    return {task: lines for task, lines in lines_by_task.items() if lines}


def _read(ledger: Ledger) -> tuple[SweepRecord, list[TrialRecord], list[TrialRecord], Totals]:
    """Read the sweep, its trials, the candidates of its searches, and what all of it cost."""
    sweep = ledger.sweep()
    records, candidates = list(ledger.trials()), list(ledger.candidates())
    totals = totals_of(records, len(sweep.refused), (*candidates, *ledger.removed()))
    return sweep, records, candidates, totals
