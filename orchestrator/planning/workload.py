"""How much work a recipe is: examples, steps, tokens, operations, evaluations. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.config import GridCell
from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.kept_states import MOST_BYTES, kept_bytes
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.probe import Timing
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.token_counts import TokenCounts
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.planning.model_size import width_of

# Of a pass through the whole model, what one takes of the head alone, whose backbone has read the texts
# before (`workers.frozen`). Assumed, for all models alike: the larger a backbone, the less it is. Where the
# pace of a head-only trial is known, it matters only as far as the number of epochs differs.
PASS_OF_HEAD = 0.1
_RANDOM_PARAMETERS = 100_000  # of the tiny models of a smoke run, whatever their architecture


def compute_parameters(backbone: BackboneSpec) -> int | None:
    """Return how many weights every token is multiplied with (all but the embeddings), None if unknown.

    A generated BERT has 4h² + 2hi per layer: attention, then feed-forward of width i at hidden size h.
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


TOKENS_PER_WORD = 1.4  # of clinical English, about, by a vocabulary of 30,000


def with_counted_size(
    task: TaskSpec,
    counts: Mapping[int, Mapping[Split, SplitCounts]],
    tokens: TokenCounts | None = None,
    max_length: int | None = None,
) -> TaskSpec:
    """Return the task with the examples and tokens that a worker has counted where its entry states none.
    `counts` are by the length that texts are cut to; `tokens` by the backbone's own tokenizer, None: guessed
    by the words. With `max_length`, where it was counted, tokens are those of texts that are cut to it: the
    mean of texts of unlike lengths tells too little of it."""
    train = next((splits[Split.TRAIN] for splits in counts.values() if Split.TRAIN in splits), None)
    if train is None:
        return task
    counted = {"train_examples": train.examples or None}
    if tokens is not None:
        counted["mean_tokens"] = math.ceil(tokens.read.get(max_length or 0, tokens.mean))
    elif train.mean_words:
        counted["mean_tokens"] = math.ceil(TOKENS_PER_WORD * train.mean_words)
    return task.model_copy(update={k: v for k, v in counted.items() if getattr(task, k) is None})


def epoch_examples(task: TaskSpec, recipe: Recipe, rows: Mapping[str, int] | None = None) -> int | None:
    """Return the training examples of an epoch after the recipe's caps, None if unknown. `rows`: what an
    attempt at the task has counted; it overrides the catalogue."""
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
    """Return how many examples the whole training reads, None if unknown or if it ends after a number of
    seconds."""
    if recipe.train_seconds is not None:
        return None
    if recipe.steps is not None:
        return recipe.steps * recipe.batch_size
    examples = epoch_examples(task, recipe, rows)
    return None if examples is None else recipe.epochs * examples


def training_steps(task: TaskSpec, recipe: Recipe, rows: Mapping[str, int] | None = None) -> int | None:
    """Return the optimiser steps of the whole training, None as for `training_examples`."""
    if recipe.steps is not None or recipe.train_seconds is not None:
        return recipe.steps
    examples = epoch_examples(task, recipe, rows)
    return None if examples is None else recipe.epochs * math.ceil(examples / recipe.batch_size)


def _passes(number: float, read: float | None) -> float:
    """Return how many passes through the whole model take as long as `number` passes of which the backbone
    `read` some, and the others were of the head alone. None: it read all."""
    return number if read is None else read + PASS_OF_HEAD * max(0.0, number - read)


@dataclass(frozen=True, slots=True)
class Workload:
    """What a trial trains: the parts of its cell that decide how much work it is. `one_process`: as
    `contracts.kept_states.one_process_keeps` of what it is given."""

    backbone: BackboneSpec
    method: MethodSpec
    task: TaskSpec
    recipe: Recipe
    one_process: bool = True

    @classmethod
    def of_cell(cls, cell: GridCell) -> Workload:
        return cls(cell.backbone, cell.variant.spec, cell.task.spec, cell.recipe)

    @classmethod
    def of_trial(cls, trial: TrialSpec) -> Workload:
        return cls(trial.backbone, trial.method, trial.task, trial.recipe)

    def operations_per_example(self) -> float | None:
        """Return the floating-point operations of training on one example with a pass through the whole
        model, None if the catalogue does not say how large the model or how long a text is.

        A weight takes 2 operations per token forward, 2 backward to the activations and 2 to the weights
        (Kaplan et al. 2020). Adapters, prompts, biases and norms spare the last 2, a head on a frozen
        backbone the last 4. Top layers are between a head and all layers and count as 4 too. The few tokens
        that virtual ones add are left out.
        """
        weights, mean_tokens = compute_parameters(self.backbone), self.task.mean_tokens
        if weights is None or mean_tokens is None:
            return None
        tokens = min(mean_tokens, self.recipe.max_length)
        return float(self.method.settings.flops_per_weight * weights * tokens)

    def state_bytes(self, rows: Mapping[str, int] | None = None) -> int | None:
        """Return the bytes of the hidden states of train and dev that head-only keeps: 0 if it keeps none,
        None if the number of examples, their length or the model's width is unknown. Examples of dev that
        neither `rows` nor the recipe gives are left out."""
        if not (self.method.settings.trains_head_alone and self.one_process):
            return 0
        examples = epoch_examples(self.task, self.recipe, rows)
        if examples is not None:
            known = ((rows or {}).get("dev_available"), self.recipe.dev_rows)
            examples += min((number for number in known if number is not None), default=0)
        length = self.task.mean_tokens
        tokens = (
            None if examples is None or length is None else examples * min(length, self.recipe.max_length)
        )
        found = kept_bytes(self.task.kind, examples, tokens, width_of(self.backbone))
        return 0 if found is not None and found > MOST_BYTES else found

    def _reads(self, number: float, once: float | None, rows: Mapping[str, int] | None) -> float | None:
        """Return how many of `number` passes the backbone reads, if `once` meet every text; None: all. What
        is not known to be too large is taken as kept."""
        return None if self.state_bytes(rows) == 0 or once is None else min(once, number)

    def passes(self, examples: int, rows: Mapping[str, int] | None = None) -> float:
        """Return how many examples take as long through the whole model as training on `examples`: fewer
        under head-only, whose backbone reads each one once. `rows` as in `epoch_examples`."""
        once = epoch_examples(self.task, self.recipe, rows)
        return _passes(examples, self._reads(examples, once, rows))

    def evaluations(self, steps: int | None, rows: Mapping[str, int] | None = None) -> float:
        """Return how often dev is scored, at most once a step: in passes through the whole model."""
        scored = self._scored(steps)
        return _passes(scored, self._reads(scored, 1, rows))

    def _scored(self, steps: int | None) -> int:
        planned = self.recipe.planned_evaluations
        return planned if steps is None else max(1, min(planned, steps))

    def passes_made(self, timing: Timing) -> float | None:
        """Return `passes` of a trial that finished, by its record: all that it trained on where that does not
        say what the backbone read. None as for `training_examples`."""
        steps = timing.steps * self.recipe.batch_size
        trained = steps or training_examples(self.task, self.recipe, timing.rows)
        if trained is None or timing.read_share is None or not self.method.settings.trains_head_alone:
            return trained
        return _passes(trained, timing.read_share * trained)

    def evaluations_made(self, timing: Timing) -> float:
        """Return `evaluations` of a trial that finished, by its record as `passes_made`."""
        scored, read = self._scored(timing.steps or None), timing.dev_reads
        if read is None or not self.method.settings.trains_head_alone:
            return scored
        return _passes(scored, min(read, scored))

    def training_passes(self, rows: Mapping[str, int] | None = None) -> float | None:
        """Return `passes` of the whole training, None as for `training_examples`."""
        examples = training_examples(self.task, self.recipe, rows)
        return None if examples is None else self.passes(examples, rows)

    def operations(self, rows: Mapping[str, int] | None = None) -> float | None:
        """Return the operations of the whole training, None if examples or operations are unknown."""
        passes, each = self.training_passes(rows), self.operations_per_example()
        return None if passes is None or each is None else passes * each
