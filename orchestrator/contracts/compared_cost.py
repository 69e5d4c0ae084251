"""What a trial costs in comparisons. One that shares a GPU waits for the others there, so its own clock
says as much about them as about itself: then a calibration of its family, alone on a GPU, takes its place."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.vocabulary import Source


def shared_a_gpu(record: TrialRecord) -> bool:
    """Return whether an attempt behind the result had only a share of a GPU."""
    return any(attempt.resources.shares_a_gpu for attempt in record.current)


def compared_device_seconds(record: TrialRecord, standalone: Mapping[str, Standalone]) -> float | None:
    """Return the device-seconds of a finished trial: those it took, or where it shared a GPU, those it takes
    alone (`standalone`, by cell). None where no meter ran, or where it shared one and no calibration ran on
    that kind of GPU."""
    attempt = record.decisive
    if attempt is not None and attempt.source is Source.MISSING:
        return None
    if not shared_a_gpu(record):
        return record.useful_device_seconds
    calibration, outcome = standalone.get(record.planned.cell.name), record.outcome
    if (
        calibration is None
        or outcome is None
        or attempt is None
        or calibration.device_type != attempt.device_type
    ):
        return None
    return calibration.device_seconds(outcome.steps)
