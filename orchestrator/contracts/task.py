"""A task: what is predicted, from which files, scored by which metric."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import HubReader, Reader
from orchestrator.contracts.record import Record, raise_problems
from orchestrator.contracts.task_rules import task_problems
from orchestrator.contracts.vocabulary import Sensitivity, TaskKind

Unit = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^\S.*$")]


class MadeNotes(Record):
    """Invented notes (`workers.demo.notes`), written in the layout that the reader reads.

    The digest of these values and of the generator's code is the identity of the data.
    """

    train: PositiveInt = Field(400, description="notes of train")
    dev: PositiveInt = Field(100, description="notes of dev")
    test: PositiveInt = Field(200, description="notes of test")
    seed: int = Field(0, description="which notes")


class TaskSpec(Record):
    name: str = Field(description="the file's name without .yaml")
    title: str = Field(description="what is predicted, in a few words")
    kind: TaskKind = Field(description="classification, multilabel, ner, relation or regression")
    domain: str = Field(description="what its texts are, say clinical, biomedical or general")
    reader: Reader = Field(description="a mapping with format, files, and the columns of its format")
    # In a resolved sweep there are none left: the first one whose files are there has taken the place of
    # `reader`.
    layouts: tuple[Reader, ...] = Field(
        (), description="other readers of the same corpus: the first one whose files exist is used"
    )
    on_bad_record: Literal["error", "skip"] = Field(
        "error", description="what a malformed record is; skip: left out and counted"
    )
    # For ner all sub-words of a word then have its tag, in training as in scoring.
    paper_scoring: bool = Field(
        False, description="also score as Taylor et al. 2024 did, beside the task's own score"
    )
    corpus: str | None = Field(
        None,
        description="what the texts were taken from, say mimic-iii: backbones that `saw` it are flagged",
    )
    data: Sensitivity | None = Field(
        None,
        description="sensitive: texts of patients; trained only if `frontier doctor --strict` passes",
    )
    made: MadeNotes | None = Field(
        None, description="invent the files, with so many notes, instead of reading them in data_dir"
    )
    labels: tuple[str, ...] | None = Field(
        None, description="the classes, or entity types without B- and I-; null: those of train, sorted"
    )
    negative_label: str | None = Field(
        None, description="relation tasks: the class that means that there is no relation"
    )
    positive_label: str | None = Field(
        None, description="classification: the class whose precision, recall and F1 are measured as well"
    )
    unit: Unit | None = Field(None, description="of the number that a regression predicts, say days")
    metric: MetricName = Field(
        description="selects the best checkpoint, and is the quality that the report compares"
    )
    max_length: PositiveInt = Field(128, description="tokens of an input; longer ones are cut and counted")
    train_examples: PositiveInt | None = Field(
        None, description="for the forecast of a plan; null: counted in the files"
    )
    mean_tokens: PositiveInt | None = Field(
        None, description="of an example, for the forecast of a plan; null: counted in the files"
    )
    licence: str | None = Field(None, description="of the data: the card of an exported model names it")
    note: str | None = Field(None, description="shown wherever a score of the task is shown")

    @property
    def invented(self) -> bool:
        return self.made is not None

    @property
    def folds(self) -> int | None:
        """Return how many trainings of a seed together test each document once, None for one test part."""
        hold_out = getattr(self.reader, "hold_out", None)
        return None if hold_out is None else hold_out.folds

    @property
    def reads_data_dir(self) -> bool:
        """Return whether its files are the user's own, below `data_dir` of a sweep."""
        return self.made is None and not isinstance(self.reader, HubReader)

    @model_validator(mode="after")
    def _coherent(self) -> TaskSpec:
        raise_problems(task_problems(self))
        return self
