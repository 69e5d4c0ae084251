"""The recipe of a trial: every hyper-parameter that can change its result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from orchestrator.contracts.record import Record, raise_problems
from orchestrator.errors import Problem

BUDGETS = ("steps", "train_seconds", "device_hours", "money")  # instead of `epochs`


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
        None, description="cap on training examples of each class; for classification and relation tasks"
    )
    dev_rows: PositiveInt | None = Field(None, description="cap on dev examples; test is always scored whole")
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="balanced: rare classes and labels count more in the loss; not for ner or regression",
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
