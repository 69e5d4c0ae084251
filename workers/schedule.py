"""When what happens in training: pure functions of recipe and step."""

from __future__ import annotations

import math

from orchestrator.contracts.trial import Recipe


def planned_steps(recipe: Recipe, examples: int) -> tuple[int, int]:
    """(optimiser steps of an epoch, of all epochs)."""
    epoch_steps = math.ceil(examples / recipe.batch_size)
    return epoch_steps, epoch_steps * recipe.epochs


def evaluation_places(epoch_steps: int, evaluations: int) -> frozenset[int]:
    """After which steps of an epoch, from 1, dev is scored: evenly spread, the last one always."""
    return frozenset(math.ceil(epoch_steps * k / evaluations) for k in range(1, evaluations + 1))


def learning_rate(step: int, planned: int, recipe: Recipe) -> float:
    """Of the step with this number, from 0: linear from 0 to the peak, then linear to 0 at the end.

    The schedule of transformers' get_linear_schedule_with_warmup, as a function of the step alone.
    """
    warmup = math.ceil(recipe.warmup_ratio * planned)
    share = step / warmup if step < warmup else (planned - step) / max(1, planned - warmup)
    return recipe.learning_rate * share
