"""What the driver asks of a worker's process, and what it answers: one JSON object in, JSON lines out."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.record import Record
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind


class StageRequest(Record):
    """Everything that a sweep reads, to `python -m workers.stage`."""

    cache_dir: str
    data_dir: str | None = None
    backbones: tuple[BackboneSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    lengths: dict[str, tuple[PositiveInt, ...]] = Field(
        default_factory=dict, description="by task, in tokens, of texts that are cut"
    )
    dev_rows: dict[str, tuple[PositiveInt, ...]] = Field(default_factory=dict, description="by task")
    seeds: tuple[NonNegativeInt, ...] = Field(
        (0,), description="whose folds are checked, of tasks with folds"
    )
    locked: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="by backbone, the sha256 of its files"
    )
    locked_tasks: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="by task that reads a data set of a hub, the sha256 of its files"
    )
    extended: tuple[str, ...] = Field((), description="of these tasks, those that read more than is locked")
    rehash: bool = Field(False, description="also what was there and checked before")
    convert: bool = Field(False, description="pickled weights of a hub, where it has no others")
    processes: PositiveInt | None = Field(None, description="None: one per core")
    shares: bool = Field(False, description="a StagedShare each second for weights that are generated")


class StagedShare(Record):
    """How far the weights of one backbone are, which are being generated."""

    item: str
    share: float = Field(ge=0, le=1)


class Staged(Record):
    """The answer for one task or backbone."""

    item: str
    state: str = Field(description="made, present, fetched, converted or missing")
    is_task: bool = Field(False, description="the item is a task, whose name a backbone may have too")
    seconds: NonNegativeFloat
    problem: str | None = Field(None, description="why it is missing, with the fix")
    commit: str | None = Field(None, description="of what a hub has and is not locked yet")
    files: dict[str, str] = Field(default_factory=dict, description="sha256 by name, beside `commit`")
    counts: dict[int, dict[Split, SplitCounts]] = Field(
        default_factory=dict, description="of a task, by the length that texts are cut to"
    )


class InspectBackbone(Record):
    """What a method would train of a backbone, to `python -m workers.inspect backbone`."""

    backbone: BackboneSpec
    method: MethodSpec
    labels: PositiveInt = 2
    kind: TaskKind = TaskKind.CLASSIFICATION
    cache_dir: str | None = None


class InspectTask(Record):
    """What the splits of a task hold, to `python -m workers.inspect task`."""

    task: TaskSpec
    root: str
