"""The scale of the number that a regression predicts."""

from __future__ import annotations

from pydantic import PositiveFloat

from orchestrator.contracts.record import Record


class TargetScale(Record):
    """Mean and standard deviation of the target in train: a model learns, and answers, how many deviations a
    text is above the mean. Both in the unit of the target."""

    mean: float
    deviation: PositiveFloat
