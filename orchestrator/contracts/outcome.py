"""What an attempt leaves behind: events while it runs, an outcome at its end, the bill for its devices."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, TypeAdapter, model_validator

from orchestrator.contracts.metrics import MetricName, MetricValue
from orchestrator.contracts.phase_work import NO_WORK, PhaseWork, add_work, sum_of
from orchestrator.contracts.record import Record
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.vocabulary import FailureKind, Figure, Phase, Precision, Signature, Source, Split

_OPTIMISERS = "torch/optim/"  # code places of torch's own, which DeepSpeed steps as well
PhaseSeconds = dict[Phase, NonNegativeFloat]


class Failure(Record):
    """Why an attempt ended early, in words that cannot hold patient text: ours, a class name, code places."""

    kind: FailureKind
    phase: Phase
    # Ours, or the class name of a foreign exception; its text only where a GPU's library failed to start,
    # before any data was read.
    message: str
    places: tuple[str, ...] = ()  # "workers/train.py:88 train", innermost last
    # Of DEVICE: host name and UUIDs of the GPUs that the attempt saw.
    machine: str | None = Field(None, exclude_if=lambda machine: machine is None)

    @property
    def asks_for_less(self) -> bool:
        """Return whether memory ran out in forward passes, where smaller passes may fit; loading weights
        cannot take less."""
        passing = self.phase is Phase.TRAIN or self.phase.is_scoring
        return self.kind is FailureKind.OUT_OF_MEMORY and passing and not self.lacks_state

    @property
    def lacks_state(self) -> bool:
        """Return whether memory ran out while the optimiser allocated its state, whose size does not depend
        on the passes."""
        inside = any(code_place.startswith(_OPTIMISERS) for code_place in self.places)
        return self.kind is FailureKind.OUT_OF_MEMORY and self.phase is Phase.TRAIN and inside


# What `Device.software` says of a state-space model whose scan is a loop in Python.
REFERENCE_SCAN = "reference (a loop over positions)"


class Device(Record):
    """The device that it ran on: part of the comparison key."""

    type: str  # "cpu" or the GPU's product name
    count: NonNegativeFloat  # allocated: cores for "cpu", else GPUs
    precision: Precision
    software: dict[str, str]  # package -> version
    spread: str = ""  # how they are used, say "2 processes, zero2"; empty for one process and nothing else


class Parameters(Record):
    """Counts of scalars. `trainable` = `adapter` + `head`, except for full, where it is `total`.

    `adapter` is what a method trains beyond the head: weights that it adds, or for bitfit, ln-tuning and
    top-layers those of the backbone that it picks.
    """

    total: PositiveInt  # of the plain model with its head, before adapters
    trainable: NonNegativeInt
    adapter: NonNegativeInt
    head: NonNegativeInt
    matched_modules: tuple[str, ...] = ()  # full module names that an adapter wraps


class Origin(Record):
    """How a figure came about: by which meter or rule; where it is missing, why."""

    source: Source
    by: str


class Serving(Record):
    """How fast the finished model answers, at one batch size, on the devices of the trial."""

    batch_size: PositiveInt
    examples_per_second: NonNegativeFloat
    latency_seconds: NonNegativeFloat  # of a batch, median
    batches: PositiveInt  # that were timed


class ClassAnswers(Record):
    """The answers to the examples of one class or label, or the mentions of one type, in one fold."""

    right: NonNegativeInt
    given: NonNegativeInt  # answers that name the class, or mentions found
    examples: NonNegativeInt  # that are of the class, or mentions


class Outcome(Record):
    """`outcome.json`: complete or absent, written atomically as the last act of an attempt.

    Times are seconds. `phases` are this attempt's own; `inherited_phases` those that the checkpoint it
    resumed from had already spent usefully; `work` and `inherited_work` likewise. Host and device memory are
    peaks in bytes.
    """

    trial: str
    fingerprint: str
    attempt: PositiveInt
    state: Literal["finished", "failed"]
    failure: Failure | None = None
    metric: MetricName
    test: dict[MetricName, MetricValue] = Field(default_factory=dict)
    dev: dict[MetricName, MetricValue] = Field(default_factory=dict)  # at the best checkpoint
    threshold: float | None = None  # multilabel: the probability from which a label is given, chosen on dev
    target_scale: TargetScale | None = None  # regression
    best_step: NonNegativeInt | None = None
    signature: Signature | None = None  # how dev went; None where it was scored too seldom to say
    steps: NonNegativeInt = 0  # optimiser steps, inherited ones included
    planned_steps: NonNegativeInt | None = None  # None under a budget of seconds as well
    epochs: NonNegativeFloat = 0.0
    started_at: float  # Unix time
    ended_at: float
    phases: PhaseSeconds = Field(default_factory=dict)
    inherited_phases: PhaseSeconds = Field(default_factory=dict)
    work: dict[Phase, PhaseWork] = Field(default_factory=dict)
    inherited_work: dict[Phase, PhaseWork] = Field(default_factory=dict)
    origins: dict[Figure, Origin] = Field(default_factory=dict)  # of the figures in `work`
    resumed_from_step: NonNegativeInt | None = None
    device: Device | None = None
    parameters: Parameters | None = None
    peak_host_memory_bytes: PositiveInt | None = None
    peak_device_memory_bytes: PositiveInt | None = None
    # Real ones that training steps consumed, padding left out; inherited ones included. Under head-only most
    # come as kept states: `work` has the tokens that the model read.
    train_tokens: NonNegativeInt = 0
    # Real tokens that the model read in training, by the seconds of training. None: not counted.
    tokens_per_second: NonNegativeFloat | None = None
    # train, dev, test, train_available, dev_available
    rows: dict[str, NonNegativeInt] = Field(default_factory=dict)
    splits: dict[Split, SplitCounts] = Field(default_factory=dict)  # see `counted`
    train_classes: dict[str, NonNegativeInt] = Field(default_factory=dict)  # training rows of each class
    guessing: dict[MetricName, float] = Field(default_factory=dict)  # what it scores on test
    # By class, of a fold: what the score of all folds together is made of.
    test_classes: dict[str, ClassAnswers] = Field(
        default_factory=dict, exclude_if=lambda classes: not classes
    )
    micro_batch_size: PositiveInt | None = None  # examples a forward pass of one process, as it ran
    evaluation_batch_size: PositiveInt | None = None  # likewise of scoring
    labels: tuple[str, ...] = ()
    saved_bytes: NonNegativeInt | None = None  # of the kept weights
    serving: tuple[Serving, ...] = ()  # by batch size

    @model_validator(mode="after")
    def _coherent(self) -> Outcome:
        if (self.state == "failed") != (self.failure is not None):
            raise ValueError("a failed outcome has a failure, a finished one has none")
        return self

    @property
    def counted(self) -> dict[Split, SplitCounts]:
        """Return what is known of each split. Outcomes from before `splits` have fewer counts, in their
        rows."""
        return self.splits or {
            split: SplitCounts(
                examples=self.rows[split],
                cut=self.rows.get(f"truncated_{split}"),
                skipped={"": n} if (n := self.rows.get(f"skipped_{split}")) else None,
            )
            for split in Split
            if split in self.rows
        }

    @property
    def too_large(self) -> tuple[bool, int | None] | None:
        """Return, if forward passes ran out of memory, whether they scored and how many examples they had
        (None: not recorded). Return None for every other attempt."""
        if self.failure is None or not self.failure.asks_for_less:
            return None
        scoring = self.failure.phase.is_scoring
        return scoring, self.evaluation_batch_size if scoring else self.micro_batch_size

    @property
    def read_share(self) -> float | None:
        """Return how many tokens the model read in training, as a multiple of those that steps consumed:
        1 in ordinary training. None if either is not known."""
        read = self._tokens(Phase.TRAIN)
        return None if read is None or not self.train_tokens else read / self.train_tokens

    @property
    def dev_reads(self) -> int | None:
        """Return about how often the model read all of dev, at least once, by the mean length of the texts of
        train. None if that or the tokens of evaluations are not known."""
        read, examples = self._tokens(Phase.EVALUATE), self.epochs * self.rows.get(Split.TRAIN, 0)
        dev = self.rows.get(Split.DEV, 0)
        if read is None or not (examples and dev and self.train_tokens):
            return None
        return max(1, round(read / (dev * self.train_tokens / examples)))

    def _tokens(self, phase: Phase) -> int | None:
        """Return the tokens that the model read in a phase, inherited ones included."""
        return add_work(self.work, self.inherited_work).get(phase, NO_WORK).tokens

    @property
    def result_phases(self) -> PhaseSeconds:
        """Return the seconds of each phase that the result took, without interruptions and checkpoints."""
        own = {phase: s for phase, s in self.phases.items() if phase.is_result}
        kept = {phase: s for phase, s in self.inherited_phases.items() if phase.is_result and phase.is_kept}
        return {p: own.get(p, 0.0) + kept.get(p, 0.0) for p in Phase if p in own or p in kept}

    @property
    def result_work(self) -> PhaseWork:
        """Return the work of `result_phases`, summed up; a value that one of them lacks is None."""
        own = [w for phase, w in self.work.items() if phase.is_result]
        kept = [w for phase, w in self.inherited_work.items() if phase.is_result and phase.is_kept]
        return sum_of([*own, *kept])


class Bill(Record):
    """`bill.json`: the outside meter, written by the process that holds the devices, also for a killed
    attempt."""

    allocated_at: float  # Unix time
    asked_at: float | None = None  # for the process; before it, the attempt is in Phase.QUEUE
    released_at: float
    devices: NonNegativeFloat  # GPUs, or cores where there is no GPU
    device_type: str  # "cpu" or the GPU's product name

    @property
    def wall_seconds(self) -> float:
        return self.released_at - self.allocated_at

    @property
    def device_seconds(self) -> float:
        return self.wall_seconds * self.devices


class StartEvent(Record):
    event: Literal["start"] = "start"
    at: float
    attempt: PositiveInt
    resumed_from_step: NonNegativeInt | None = None
    inherited_phases: PhaseSeconds = Field(default_factory=dict)


class PhaseEvent(Record):
    event: Literal["phase"] = "phase"
    at: float
    phase: Phase  # the one that begins now


class StepEvent(Record):
    """Training loss averaged since the step event before."""

    event: Literal["step"] = "step"
    at: float
    step: PositiveInt
    planned_steps: PositiveInt | None = None  # None under a budget of seconds
    loss: float
    learning_rate: float
    tokens: NonNegativeInt  # cumulative


class EvaluationEvent(Record):
    event: Literal["evaluation"] = "evaluation"
    at: float
    step: NonNegativeInt
    epoch: float
    metrics: dict[MetricName, MetricValue]
    best: bool  # the best so far
    train_seconds: NonNegativeFloat | None = None  # of training steps until here, inherited ones included
    collapsed: bool = False  # one class for everything, or an AUROC near one half


class CheckpointEvent(Record):
    event: Literal["checkpoint"] = "checkpoint"
    at: float
    step: NonNegativeInt


Event = StartEvent | PhaseEvent | StepEvent | EvaluationEvent | CheckpointEvent

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def read_event(line: str | bytes) -> Event:
    """Read one line of `events.jsonl`. Raises pydantic.ValidationError if it is truncated or no event."""
    return _EVENT.validate_json(line)
