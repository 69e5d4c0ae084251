"""A folder that `frontier export` writes: what its manifest says, and the requests of `workers.exported`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.fold import Fold
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.metrics import Metrics
from orchestrator.contracts.record import Record
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Cell, Seed
from orchestrator.contracts.vocabulary import Precision, TaskKind

MANIFEST = "frontier.json"  # written last: a folder without it is not whole
BASE = "base"  # the folder of the backbone inside an export, where no hub has it
LOGGED_FOLDER = "exported"  # the folder of an export inside an MLflow model


class WeightsLayout(StrEnum):
    ADAPTER = "adapter"  # PEFT's format, beside the backbone
    WHOLE = "whole"  # all weights in one model


class ModelUse(Record):
    """What it takes to give texts to a model and to read its answers."""

    kind: TaskKind
    labels: tuple[str, ...]  # by class id
    threshold: float | None = None  # multilabel: the probability from which a label is given
    target_scale: TargetScale | None = None  # regression: what makes a number of its answer
    paired: bool = False  # it takes two texts
    max_length: PositiveInt  # tokens; longer texts are cut
    backbone: BackboneSpec  # its weights are a hub's, or the folder `base` of the export
    method: MethodSpec
    precision: Precision
    batch_size: PositiveInt  # examples a scoring pass


class Exported(Record):
    """`frontier.json` of an exported folder."""

    frontier_version: str
    sweep: str
    cell: Cell
    seed: Seed
    fold: Fold | None = Field(None, exclude_if=lambda fold: fold is None)  # that it was not trained on
    fingerprint: str  # of the trial
    layout: WeightsLayout
    use: ModelUse
    task: TaskSpec  # as it was trained; its files are below a data_dir that is not named here
    device_type: str  # that it was scored on: "cpu" or the GPU's product name
    cpus: PositiveInt = 1  # of the process that scored it: sums of other numbers of threads may differ
    deterministic: bool = False
    test: Metrics  # of this seed, or of the fold
    files: dict[str, str]  # sha256 by path below the folder, of all that holds weights or reads text


class ExportRequest(Record):
    """The kept weights of a trial, to `python -m workers.exported export`."""

    use: ModelUse  # with the backbone of the sweep
    kept: str  # the folder of the kept weights
    # sha256 by name of the backbone's files when the trial began. Empty: not known.
    weights: dict[str, str] = Field(default_factory=dict)
    cache_dir: str
    out: str  # an empty folder
    merge: bool = False


class ExportAnswer(Record):
    """`differs`: by how much the logits of the exported model differ from those of the trained one at most,
    over `rows` rows of random tokens."""

    layout: WeightsLayout
    has_base: bool  # the backbone is in the folder
    differs: NonNegativeFloat
    rows: PositiveInt
    snippet: str  # a program that loads the folder and runs it
    mlflow_code: str  # a module that answers tables of texts by the folder LOGGED_FOLDER beside it


class PredictRequest(Record):
    """Texts for an exported model, to `python -m workers.exported predict`."""

    folder: str
    exported: Exported
    cache_dir: str
    input: str
    format: Literal["csv", "jsonl", "text"]
    text: str  # column
    second_text: str | None = None  # column, for models of pairs
    out: str  # a file that does not exist yet; .csv, else JSON lines


class EvaluateRequest(Record):
    """A task for an exported model, to `python -m workers.exported evaluate`."""

    folder: str
    exported: Exported
    cache_dir: str
    task: TaskSpec
    data_dir: str | None = None


class EvaluateAnswer(Record):
    """The answer of `evaluate`."""

    test: Metrics
    examples: NonNegativeInt
    device_type: str
    precision: Precision
