"""Which seed of a cell is taken where one model is needed: by the score on dev, never by that on test."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.metrics import quality


def by_dev(finished: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials by their score on dev, worst first; of equals the lowest seed and fold come last."""
    return sorted(finished, key=lambda trial: (_on_dev(trial), -trial.planned.seed, -_fold(trial)))


def _fold(trial: TrialRecord) -> int:
    return 0 if trial.planned.fold is None else trial.planned.fold.number


def _on_dev(trial: TrialRecord) -> float:
    value = None if trial.outcome is None else quality(trial.outcome.metric, trial.outcome.dev)
    return float("-inf") if value is None else value
