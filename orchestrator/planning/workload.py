"""How much work a recipe is: examples, steps, tokens, operations, evaluations. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Recipe

_RANDOM_PARAMETERS = 100_000  # of the tiny models of a smoke run, whatever their architecture


def compute_parameters(backbone: BackboneSpec) -> int | None:
    """Weights that every token is multiplied with: all but the embeddings. None where it cannot be told.

    For made BERTs 4h² + 2hi a layer (attention, then feed-forward of width i at hidden size h).
    """
    if isinstance(backbone.weights, RandomWeights):
        return _RANDOM_PARAMETERS
    if isinstance(backbone.weights, MadeWeights):
        h, i = backbone.weights.hidden_size, backbone.weights.intermediate_size
        return backbone.weights.layers * (4 * h * h + 2 * h * i)
    shape = backbone.shape
    width = shape.get("embedding_size", shape.get("hidden_size", shape.get("dim")))
    if backbone.parameters is None or width is None or "vocab_size" not in shape:
        return None
    return backbone.parameters - int(shape["vocab_size"]) * int(width)


def epoch_examples(task: TaskSpec, recipe: Recipe, rows: Mapping[str, int] | None = None) -> int | None:
    """Training examples after the recipe's caps. `rows`: what an attempt at the task has counted, which
    stands before what the catalogue says. None where neither knows."""
    examples = (rows or {}).get("train_available", task.train_examples)
    if recipe.train_rows_per_class is not None:
        if task.labels is None:
            return None
        capped = recipe.train_rows_per_class * len(task.labels)
        return capped if examples is None else min(examples, capped)
    if recipe.train_rows is not None and examples is not None:
        return min(examples, recipe.train_rows)
    return examples


def training_examples(task: TaskSpec, recipe: Recipe, rows: Mapping[str, int] | None = None) -> int | None:
    """Examples that the whole training reads. None where it is not known how many there are, or where it ends
    after so many seconds."""
    if recipe.train_seconds is not None:
        return None
    if recipe.steps is not None:
        return recipe.steps * recipe.batch_size
    examples = epoch_examples(task, recipe, rows)
    return None if examples is None else recipe.epochs * examples


def training_steps(task: TaskSpec, recipe: Recipe, rows: Mapping[str, int] | None = None) -> int | None:
    """Optimiser steps. None as for `training_examples`."""
    if recipe.steps is not None or recipe.train_seconds is not None:
        return recipe.steps
    examples = epoch_examples(task, recipe, rows)
    return None if examples is None else recipe.epochs * math.ceil(examples / recipe.batch_size)


def evaluations(recipe: Recipe, steps: int | None) -> int:
    """Return how often dev is scored: at most once a step."""
    planned = recipe.planned_evaluations
    return planned if steps is None else max(1, min(planned, steps))


def operations_per_example(
    backbone: BackboneSpec, method: MethodSpec, task: TaskSpec, recipe: Recipe
) -> float | None:
    """Floating-point operations of the training: 2 a weight and token forward, 2 backward to the activations
    and 2 to the weights (Kaplan et al. 2020). Adapters, prompts, biases and norms spare the last, a head on a
    frozen backbone both. Top layers alone lie between a head and all: they are taken for 4 too. The few
    tokens that virtual ones add are left out.
    """
    weights = compute_parameters(backbone)
    if weights is None or task.mean_tokens is None:
        return None
    return float(method.settings.flops_per_weight * weights * min(task.mean_tokens, recipe.max_length))


def operations(
    backbone: BackboneSpec,
    method: MethodSpec,
    task: TaskSpec,
    recipe: Recipe,
    rows: Mapping[str, int] | None = None,
) -> float | None:
    """Of the whole training. None where the catalogue does not say how many examples there are, or how
    long."""
    examples = training_examples(task, recipe, rows)
    each = operations_per_example(backbone, method, task, recipe)
    return None if examples is None or each is None else examples * each
