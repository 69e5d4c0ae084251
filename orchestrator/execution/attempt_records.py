"""Read what the attempts of a trial left on this machine."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.execution.launcher import Workplace


def read_outcome(directory: Path) -> Outcome | None:
    """Return the outcome, None if it is missing or invalid."""
    try:
        return Outcome.model_validate_json((directory / layout.OUTCOME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def read_bill(directory: Path) -> Bill | None:
    """Return the bill, None if it is missing."""
    try:
        return Bill.model_validate_json((directory / layout.BILL).read_bytes())
    except FileNotFoundError:
        return None


def outcomes_since(workplace: Workplace, trial: str, before: int) -> list[Outcome]:
    """Return the outcomes of the attempts numbered above `before`, oldest first."""
    numbered = layout.attempts(layout.trial_directory(workplace.sweep_directory, trial))
    outcomes = (read_outcome(path) for number, path in numbered if number > before)
    return [outcome for outcome in outcomes if outcome is not None]


def open_orders(workplace: Workplace, trial: str, before: int) -> list[AttemptOrder]:
    """Return the orders numbered above `before` without a bill: their attempts run, or were lost with their
    host. Their directories are those on this machine."""
    numbered = layout.attempts(layout.trial_directory(workplace.sweep_directory, trial))
    return [
        AttemptOrder.model_validate_json((path / layout.ORDER).read_bytes()).model_copy(
            update={"directory": str(path)}
        )
        for number, path in numbered
        if number > before and (path / layout.ORDER).exists() and not (path / layout.BILL).exists()
    ]
