"""Cells, trials, and the order that a worker gets for one attempt at one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.fold import Fold
from orchestrator.contracts.kept_weights import KeepWeights
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Phase

Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every library takes: numpy's generators take 32 bits


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


def trial_name(cell: Cell, seed: int, candidate: int | None = None, fold: Fold | None = None) -> str:
    """`tiny/clinical/lora-r8/ncbi-disease/seed-12`; a candidate of a search ends in `tune-003`, a fold in
    `seed-12-fold-2`."""
    if candidate:
        return f"{cell.name}/tune-{candidate:03d}"
    return f"{cell.name}/{seed_name(seed, fold)}"


def seed_name(seed: int, fold: Fold | None = None) -> str:
    """Return the last part of the name of a trial."""
    return f"seed-{seed}" if fold is None else f"seed-{seed}-fold-{fold.number}"


class Digests(Record):
    """The content of what the names refer to. None where it is not known yet (not staged, not on this
    disk)."""

    data: str | None
    weights: str | None
    code: str  # of the worker, comments and docstrings left out
    metrics: str  # version of the metric definitions


class TrialSpec(Record):
    """One (cell, seed), or one fold of it, fully resolved: all that a worker needs to know to produce the
    result."""

    cell: Cell
    seed: Seed
    backbone: BackboneSpec
    method: MethodSpec
    task: TaskSpec
    recipe: Recipe
    digests: Digests
    fingerprint: str  # 16 hex digits
    candidate: PositiveInt | None = None  # number in a tuning search: it is scored on dev alone
    fold: Fold | None = Field(None, exclude_if=lambda fold: fold is None)  # that it is scored on

    @property
    def name(self) -> str:
        return trial_name(self.cell, self.seed, self.candidate, self.fold)


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
    keep_weights: KeepWeights = "adapters"
    keep_gib: PositiveFloat | None = None  # with `frontier`, a larger model is not written; None: no limit
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
