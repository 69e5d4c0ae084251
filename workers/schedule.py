"""The budget of a trial: when it ends, its learning rate, its evaluations. Pure functions of what was
spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from orchestrator.contracts.recipe import Recipe


@dataclass(frozen=True)
class Budget:
    """Optimiser steps, or seconds of them: exactly one is not None.

    `steps` and `seconds` count the training since the very first attempt. The limit of
    seconds is checked between steps, so the last step may overrun it, by less than its own length.
    """

    steps: int | None
    seconds: float | None
    evaluations: int  # of dev, evenly over the budget; fewer where it has fewer steps than that
    warmup_ratio: float
    peak_rate: float
    schedule: Literal["linear", "constant"] = "linear"

    @classmethod
    def of(cls, recipe: Recipe, epoch_steps: int) -> Budget:
        """`epoch_steps`: optimiser steps of an epoch. Epochs are repeated until the budget is spent."""
        if recipe.device_hours is not None or recipe.money is not None:
            raise ValueError("device_hours and money are turned into train_seconds before a trial starts")
        steps = epoch_steps * recipe.epochs if recipe.counts_epochs else recipe.steps
        ramp = recipe.warmup_ratio, recipe.learning_rate, recipe.schedule
        return cls(steps, recipe.train_seconds, recipe.planned_evaluations, *ramp)

    def share(self, steps: int, seconds: float) -> float:
        """Return the part of the budget that is spent, 0 to 1."""
        if self.seconds is not None:
            return min(1.0, seconds / self.seconds)
        assert self.steps is not None
        return min(1.0, steps / self.steps)

    def rate(self, steps: int, seconds: float) -> float:
        """Return the learning rate of the step that begins here: linear from 0 to the peak, then linear to 0
        at the end of the budget, or constant.

        Under steps it is that of transformers' get_linear_schedule_with_warmup, or of its
        get_constant_schedule_with_warmup.
        """
        if self.seconds is not None:
            spent, total, warmup = seconds, self.seconds, self.warmup_ratio * self.seconds
        else:
            assert self.steps is not None
            spent, total, warmup = steps, self.steps, math.ceil(self.warmup_ratio * self.steps)
        if self.schedule == "constant" and spent >= warmup:
            return self.peak_rate
        return self.peak_rate * _trapezium(spent, total, warmup)

    def evaluations_due(self, steps: int, seconds: float) -> int:
        """Return how many evaluations are due by this point. Dev is scored after a step that raises the
        number, once, however many boundaries a long step has crossed; the last boundary is the end."""
        if self.seconds is not None:
            if seconds >= self.seconds:
                return self.evaluations
            return min(self.evaluations - 1, math.floor(seconds / self.seconds * self.evaluations))
        assert self.steps is not None
        return min(steps, self.steps) * self.evaluations // self.steps


def _trapezium(spent: float, total: float, warmup: float) -> float:
    if spent < warmup:
        return spent / warmup
    return max(0.0, total - spent) / (total - warmup) if spent < total else 0.0


def steps_of_an_epoch(examples: int, batch_size: int) -> int:
    return math.ceil(examples / batch_size)
