"""Cells, recipes, trials, and the order that a worker gets for one attempt at one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from pydantic.json_schema import SkipJsonSchema

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.record import Record, raise_problems
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Phase
from orchestrator.errors import Problem

Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every library takes: numpy's generators take 32 bits
BUDGETS = ("steps", "train_seconds", "device_hours", "money")  # instead of `epochs`


class Cell(Record):
    """One point of the grid, by names."""

    model: str
    domain: str
    method: str  # the slug, say "lora-r8"
    task: str

    @property
    def name(self) -> str:
        return f"{self.label}/{self.task}"

    @property
    def label(self) -> str:
        """Return the name without the task: cells with one label differ only in the task."""
        return f"{self.backbone_key}/{self.method}"

    @property
    def backbone_key(self) -> str:
        """Return the key of its backbone in the record of a sweep."""
        return f"{self.model}/{self.domain}"


def trial_name(cell: Cell, seed: int, candidate: int | None = None) -> str:
    """`tiny/clinical/lora-r8/ncbi-disease/seed-12`; a candidate of a search ends in `tune-003`."""
    return f"{cell.name}/tune-{candidate:03d}" if candidate else f"{cell.name}/seed-{seed}"


class Recipe(Record):
    """The resolved hyper-parameters of a trial. Everything here can change the result."""

    learning_rate: PositiveFloat = Field(description="peak of the schedule")
    # How long it trains: `epochs`, unless one of the four budgets below it is set. Seconds are those of
    # training steps: loading, scoring and saving do not count. `device_hours` and `money` become
    # `train_seconds` when the recipe is resolved, by the devices of a trial and the sweep's price entry.
    epochs: PositiveInt = Field(5, description="passes over train, unless one of the four budgets is set")
    steps: PositiveInt | None = Field(None, description="budget: optimiser steps")
    train_seconds: PositiveFloat | None = Field(
        None, description="budget: seconds of training steps; loading, scoring and saving do not count"
    )
    device_hours: PositiveFloat | None = Field(
        None, description="budget: becomes train_seconds by the devices of a trial"
    )
    money: PositiveFloat | None = Field(
        None, description="budget: becomes train_seconds by the sweep's prices"
    )
    evaluations: PositiveInt = Field(5, description="under a budget, how often dev is scored, evenly over it")
    batch_size: PositiveInt = Field(32, description="examples an optimiser step")
    micro_batch_size: PositiveInt | None = Field(
        None, description="examples a forward pass; null: batch_size"
    )
    evaluation_batch_size: PositiveInt = Field(64, description="examples a pass of scoring")
    warmup_ratio: float = Field(
        0.06, ge=0, lt=1, description="share of the budget in which the rate grows to its peak"
    )
    schedule: Literal["linear", "constant"] = Field(
        "linear", description="after the warm-up: linear to 0 at the end of the budget, or constant"
    )
    weight_decay: NonNegativeFloat = Field(
        0.01, description="of AdamW; not for biases, norms and IA3's factors"
    )
    max_grad_norm: PositiveFloat = Field(1.0, description="gradients are clipped to this norm")
    max_length: PositiveInt = Field(128, description="tokens of an input; resolved from task and backbone")
    evaluations_per_epoch: PositiveInt = Field(1, description="how often dev is scored in an epoch")
    train_rows: PositiveInt | None = Field(
        None, description="cap on training examples: the same ones for every cell and seed"
    )
    train_rows_per_class: PositiveInt | None = Field(
        None, description="cap on training examples of each class; not for ner tasks"
    )
    dev_rows: PositiveInt | None = Field(None, description="cap on dev examples; test is always scored whole")
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="balanced: rows of rare classes count for more in the loss; not for ner tasks",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="auto: bf16 on a GPU that has it, else fp32; fp16 scales the loss, for GPUs without bf16",
    )
    stop_collapsed: bool = Field(
        False, description="end a trial that predicts one class for everything: it fails as COLLAPSED"
    )
    collapse_grace: float = Field(
        0.5, ge=0, le=1, description="share of the training before which nothing is a collapse"
    )

    @model_validator(mode="after")
    def _coherent(self) -> Recipe:
        raise_problems(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        for group, what in ((BUDGETS, "budget"), (("train_rows", "train_rows_per_class"), "cap")):
            settings = [f"{key} {getattr(self, key)}" for key in group if getattr(self, key) is not None]
            if len(settings) > 1:
                key, problem = settings[0].split()[0], f"more than one {what} is set: {', '.join(settings)}"
                yield Problem.of_key(key, problem, "set one of them")
        if self.micro_batch_size is not None and self.batch_size % self.micro_batch_size:
            problem = f"{self.micro_batch_size} does not divide batch_size {self.batch_size}"
            yield Problem.of_key("micro_batch_size", problem, "make batch_size a multiple of it")

    @property
    def counts_epochs(self) -> bool:
        """Return whether `epochs` ends the training, and no budget."""
        return all(getattr(self, budget) is None for budget in BUDGETS)

    @property
    def planned_evaluations(self) -> int:
        """Return how often dev is scored if the training has at least as many steps."""
        return self.evaluations_per_epoch * self.epochs if self.counts_epochs else self.evaluations

    @property
    def pass_sizes(self) -> tuple[int, ...]:
        """Examples a forward pass: the recipe's own, then what is tried when memory runs out, down to 1."""
        sizes = [self.micro_batch_size or self.batch_size]
        while sizes[-1] > 1:
            sizes.append(self.smaller_pass(sizes[-1]))
        return tuple(sizes)

    def smaller_pass(self, size: int) -> int:
        """Return the largest divisor of `batch_size` that is at most half of `size`; 1 after 1."""
        return next((n for n in range(size // 2, 0, -1) if self.batch_size % n == 0), 1)


class Digests(Record):
    """The content of what the names refer to. None where it is not known yet (not staged, not on this
    disk)."""

    data: str | None
    weights: str | None
    code: str  # of the worker, comments and docstrings left out
    metrics: str  # version of the metric definitions


Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp"]


class Resources(Record):
    """What one trial is given, and how it is spread over that. Not in the fingerprint.

    `cpus` and `gpus` are those of the whole trial, shared evenly by its processes, `processes` by its nodes.
    What is spread over them changes the cost, not the steps: every batch of the recipe is cut into as many
    parts as there are processes.
    """

    cpus: PositiveInt = Field(1, description="cores of one trial")
    gpus: float = Field(0, ge=0, description="GPUs of one trial; below 1 trials share one")
    processes: PositiveInt = Field(1, description="ranks of one trial; one GPU each where there are GPUs")
    nodes: PositiveInt = Field(1, description="machines that the processes are spread over")
    sharding: Sharding = Field(
        "none",
        description="split among the processes: optimiser (zero1), gradients (zero2), weights (zero3, fsdp)",
    )
    offload: bool = Field(False, description="keep what is sharded in host memory")
    gradient_checkpointing: bool = Field(
        False, description="compute activations again instead of keeping them"
    )
    micro_batch_size: PositiveInt | None = Field(
        None,
        description="examples a forward pass of each process; null: as the recipe says. The step stays",
    )
    # The entry of devices/ that the plan chose all this for: a cluster gives the trial no other kind of GPU.
    # In a sweep's file it is beside other keys, those of `AutoResources`.
    device: SkipJsonSchema[str | None] = Field(None, exclude_if=lambda name: name is None)

    @model_validator(mode="after")
    def _coherent(self) -> Resources:
        raise_problems(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        for what, total, of, parts in (
            ("cpus", self.cpus, "processes", self.processes),
            ("processes", self.processes, "nodes", self.nodes),
        ):
            if total % parts:
                problem = f"{total} cannot be shared evenly by {of} {parts}"
                yield Problem.of_key(what, problem, f"make {what} a multiple of {of}")
        if self.gpus and self.gpus != self.processes and (self.processes > 1 or self.gpus > 1):
            each = f"each of processes {self.processes}" if self.processes > 1 else "processes 1"
            problem = f"{self.gpus:g}, and {each} takes one GPU"
            yield Problem.of_key("gpus", problem, "make gpus and processes the same number")
        if self.offload and (self.sharding == "none" or not self.gpus):
            problem = (
                f"moves off the GPUs what sharding shares out: sharding {self.sharding}, gpus {self.gpus:g}"
            )
            yield Problem.of_key("offload", problem, "set sharding and gpus, or leave offload out")
        if self.sharding != "none" and self.processes == 1 and not (self.offload and self.gpus == 1):
            problem = f"{self.sharding} shares out between processes, and processes is 1"
            yield Problem.of_key("sharding", problem, "raise processes, or leave sharding out")

    @property
    def devices(self) -> float:
        """Allocated devices: GPUs where there are any, else cores."""
        return self.gpus if self.gpus else float(self.cpus)

    @property
    def shares_a_gpu(self) -> bool:
        """Other trials may run on its GPU: what it takes there depends on them."""
        return 0 < self.gpus < 1

    def pass_size(self, recipe: Recipe) -> int:
        """Return the examples of a training pass of one process: never more than its part of the batch."""
        size = self.micro_batch_size or recipe.pass_sizes[0]
        return min(size, -(-recipe.batch_size // self.processes))

    def scoring_size(self, recipe: Recipe) -> int:
        """Return the examples of a scoring pass of one process: in proportion to its training passes."""
        return max(1, recipe.evaluation_batch_size * self.pass_size(recipe) // recipe.pass_sizes[0])

    @property
    def threads(self) -> int:
        """Cores of one process."""
        return self.cpus // self.processes

    @property
    def spread(self) -> str:
        """Describe how the devices are used, as the comparison key names it; empty for the plain way."""
        parts = [f"{self.processes} processes"] if self.processes > 1 else []
        parts += [f"{self.nodes} nodes"] if self.nodes > 1 else []
        parts += [self.sharding] if self.sharding != "none" else []
        parts += ["offload"] if self.offload else []
        return ", ".join(parts + (["gradient checkpointing"] if self.gradient_checkpointing else []))


class TrialSpec(Record):
    """One (cell, seed), fully resolved: all that a worker needs to know to produce the result."""

    cell: Cell
    seed: Seed
    backbone: BackboneSpec
    method: MethodSpec
    task: TaskSpec
    recipe: Recipe
    digests: Digests
    fingerprint: str  # 16 hex digits
    candidate: PositiveInt | None = None  # number in a tuning search: it is scored on dev alone

    @property
    def name(self) -> str:
        return trial_name(self.cell, self.seed, self.candidate)


class AttemptOrder(Record):
    """The order to a worker: the trial, and the runtime choices that are in neither name nor fingerprint.

    Stored as `order.json` in the attempt's directory before the attempt starts.
    """

    trial: TrialSpec
    attempt: PositiveInt  # 1 for the first
    directory: str  # of this attempt: events.jsonl, outcome.json, checkpoint/, model/
    resume_from: str | None = None  # a checkpoint directory of an earlier attempt under the same fingerprint
    data_dir: str | None = None
    cache_dir: str  # made weights and data, staged hub snapshots
    # sha256 by name of all that may be read in the folder of the backbone. Empty: not known.
    weights: dict[str, str] = Field(default_factory=dict)
    resources: Resources = Resources()
    checkpoint_seconds: NonNegativeFloat = 30.0  # least time between two resume checkpoints
    keep_weights: Literal["all", "adapters", "none"] = "adapters"
    deterministic: bool = False  # on a GPU as well, equal runs give equal bits
    # After attempts that ran out of memory in training or scoring: fewer examples a forward pass of that. The
    # optimiser step stays what it is.
    micro_batch_size: PositiveInt | None = None
    evaluation_batch_size: PositiveInt | None = None
    ordered_at: float  # Unix time, seconds

    @property
    def pass_size(self) -> int:
        """Examples of a training pass of one process."""
        planned = self.resources.pass_size(self.trial.recipe)
        return min(self.micro_batch_size or planned, planned)

    @property
    def evaluation_size(self) -> int:
        """Examples of a scoring pass of one process."""
        return self.evaluation_batch_size or self.resources.scoring_size(self.trial.recipe)

    def passes_tried(self, phase: Phase) -> str:
        """Return what ran, what ran before, and what is left, for the message of an attempt that ran out of
        memory in `phase`."""
        recipe, scoring = self.trial.recipe, phase.is_scoring
        size = self.evaluation_size if scoring else self.pass_size
        text = f"scoring {size}" if scoring else f"with {size} of {recipe.batch_size}"
        before = self.resources.scoring_size(recipe) if scoring else self.resources.pass_size(recipe)
        larger = list[str]()
        while before > size:
            larger.append(str(before))
            before = before // 2 if scoring else recipe.smaller_pass(before)
        text += " examples a forward pass" + (f", after {', '.join(larger)}" if larger else "")
        return text if size > 1 else f"{text}: no smaller pass is left to try"
