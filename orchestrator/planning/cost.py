"""What a trial will take, from what trials like it took before, else from arithmetic."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.history import TrialHistory
from orchestrator.contracts.method import Full, HeadOnly, MethodSpec
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Recipe, Resources

# Floating-point operations a second that training is assumed to reach on one device. Guesses for a plan
# without history, on the low side of what small encoders reach; the first finished trials replace them.
ASSUMED_RATE = {"core": 2e10, "gpu": 3e13}
_RANDOM_PARAMETERS = 100_000  # of the tiny models of a smoke run, whatever their architecture
ASSUMED_START_SECONDS = 2.0  # loading, tokenising and scoring test, whatever the training takes

_Likeness = tuple[str, ...]  # the names that trials share

Source = Literal["ledger", "estimate"]


@dataclass(frozen=True)
class Predicted:
    seconds: float  # wall
    source: Source


def device_of(resources: Resources) -> Literal["gpu", "core"]:
    return "gpu" if resources.gpus else "core"


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


def training_examples(task: TaskSpec, recipe: Recipe) -> int | None:
    """Examples that the whole training reads. None where it is not known how many there are, or where it ends
    after so many seconds."""
    if recipe.train_seconds is not None:
        return None
    if recipe.steps is not None:
        return recipe.steps * recipe.batch_size
    examples = task.train_examples
    if recipe.train_rows_per_class is not None:
        if task.labels is None:
            return None
        capped = recipe.train_rows_per_class * len(task.labels)
        examples = capped if examples is None else min(examples, capped)
    elif recipe.train_rows is not None and examples is not None:
        examples = min(examples, recipe.train_rows)
    return None if examples is None else recipe.epochs * examples


def training_tokens(task: TaskSpec, recipe: Recipe) -> int | None:
    """Tokens that the whole training reads. None where the catalogue does not say how many examples there
    are, or how long. The few that virtual tokens add are left out."""
    examples = training_examples(task, recipe)
    if examples is None or task.mean_tokens is None:
        return None
    return examples * min(task.mean_tokens, recipe.max_length)


def operations(backbone: BackboneSpec, method: MethodSpec, task: TaskSpec, recipe: Recipe) -> float | None:
    """Floating-point operations of the training: 2 a weight and token forward, 2 backward to the activations
    and 2 to the weights (Kaplan et al. 2020). Adapters, prompts, biases and norms spare the last, a head on a
    frozen backbone both. Top layers alone lie between a head and all: they are taken for 4 too.
    """
    weights, tokens = compute_parameters(backbone), training_tokens(task, recipe)
    if weights is None or tokens is None:
        return None
    factor = 6 if isinstance(method.settings, Full) else 2 if isinstance(method.settings, HeadOnly) else 4
    return float(factor * weights * tokens)


class Predictor:
    """Looks for finished trials on the same kind of device: of the same model, method and task; failing that,
    of the same model and task, of the same model, or any. What counts is their median second an operation."""

    def __init__(self, history: Iterable[TrialHistory], resources: Resources) -> None:
        self._device = device_of(resources)
        self._devices = resources.devices
        self._found: dict[_Likeness, list[float]] = defaultdict(list)  # seconds an operation
        self._whole: dict[_Likeness, list[float]] = defaultdict(list)  # seconds, of the most alike
        self._medians: dict[_Likeness, float] = {}
        for trial in history:
            self._learn(trial)

    def _learn(self, trial: TrialHistory) -> None:
        spec = trial.last
        found = trial.by_fingerprint.get(spec.fingerprint) if spec is not None else None
        if spec is None or found is None or found.wall_seconds is None:
            return
        if (found.device_type == "cpu") != (self._device == "core"):
            return
        if spec.recipe.train_seconds is not None:
            return  # it took what it was given
        work = operations(spec.backbone, spec.method, spec.task, spec.recipe)
        likeness = _likeness(spec.cell.model, spec.method.entry, spec.task.name)
        self._whole[likeness[0]].append(found.wall_seconds)
        for key in likeness:
            if work:
                self._found[key].append(found.wall_seconds / work)

    def predict(
        self, backbone: BackboneSpec, method: MethodSpec, task: TaskSpec, recipe: Recipe
    ) -> Predicted | None:
        """None where neither the ledger nor the catalogue gives ground for a figure."""
        if recipe.train_seconds is not None:
            return Predicted(ASSUMED_START_SECONDS + recipe.train_seconds, "estimate")
        work = operations(backbone, method, task, recipe)
        likeness = _likeness(backbone.model, method.entry, task.name)
        if work is None:
            alike = self._whole.get(likeness[0])
            return None if alike is None else Predicted(statistics.median(alike), "ledger")
        for key in likeness:
            if key in self._found:
                return Predicted(work * self._median(key), "ledger")
        rate = ASSUMED_RATE[self._device] * self._devices
        return Predicted(ASSUMED_START_SECONDS + work / rate, "estimate")

    def _median(self, key: _Likeness) -> float:
        if key not in self._medians:
            self._medians[key] = statistics.median(self._found[key])
        return self._medians[key]

    @property
    def assumption(self) -> str:
        """What an estimate rests on, in a sentence for the plan."""
        unit = "GPU" if self._device == "gpu" else "core"
        return (
            f"where no finished trial is like it, a trial is taken to need {ASSUMED_START_SECONDS:g} s "
            f"and its training arithmetic at {ASSUMED_RATE[self._device] / 1e9:g} GFLOP/s a {unit}, "
            "or its budget of training seconds"
        )


def _likeness(model: str, entry: str, task: str) -> list[_Likeness]:
    """From the most to the least alike."""
    return [(model, entry, task), (model, task), (model,), ()]
