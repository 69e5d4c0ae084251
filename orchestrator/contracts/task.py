"""A task: what is predicted, from which files, scored by which metric."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Split, TaskKind

Files = dict[Split, tuple[str, ...]]  # paths below the data directory, several are read one after another


class ConllReader(Record):
    """One token a line, columns separated by `separator`, a blank line between sentences, BIO tags."""

    format: Literal["conll"] = "conll"
    files: Files
    separator: Literal["tab", "space"] = "tab"
    token_column: int = 0
    tag_column: int = -1


class PubtatorReader(Record):
    """PubTator documents (title, abstract, mention lines, relation lines).

    As a ner task: sentences of words with BIO tags of `entity_types`. As a relation task: every pair of a
    `relation_types`-typed relation's two entity types in one sentence, both mentions masked.
    """

    format: Literal["pubtator"] = "pubtator"
    files: Files
    entity_types: tuple[str, ...]
    relation: str | None = None  # "CID"; relation tasks only


class TableReader(Record):
    """A CSV or JSON-lines file with a text column and a label column."""

    format: Literal["csv", "jsonl"]
    files: Files
    text: str  # column
    second_text: str | None = None  # column, sentence-pair tasks
    label: str  # column
    merge: dict[str, str] = Field(default_factory=dict)  # label in the file -> label of the task


class MadeNotes(Record):
    """Invented notes (`workers.demo.notes`), written in the layout that the reader reads.

    The digest of these values and of the generator's code is the identity of the data.
    """

    train: PositiveInt = 400
    dev: PositiveInt = 100
    test: PositiveInt = 200
    seed: int = 0


class TaskSpec(Record):
    name: str
    title: str
    kind: TaskKind
    domain: str
    reader: ConllReader | PubtatorReader | TableReader = Field(discriminator="format")
    made: MadeNotes | None = None  # the files are invented on the spot instead of lying in data_dir
    labels: tuple[str, ...] | None = None  # None: those of train, sorted. For ner: entity types without B-/I-
    negative_label: str | None = None  # relation tasks: the class that means "no relation"
    metric: MetricName  # the primary one: selects the best checkpoint and is the quality
    max_length: PositiveInt = 128  # tokens; longer inputs are cut and counted
    train_examples: PositiveInt | None = None  # as published, for the estimate of a plan
    mean_tokens: PositiveInt | None = None  # of an encoded example, for the estimate of a plan
    licence: str | None = None
    note: str | None = None  # shown wherever a score of this task is shown

    @property
    def invented(self) -> bool:
        return self.made is not None

    @model_validator(mode="after")
    def _coherent(self) -> TaskSpec:
        if self.kind not in METRICS[self.metric].kinds:
            raise ValueError(f"metric {self.metric} does not exist for a {self.kind} task")
        if (self.negative_label is not None) != (self.kind is TaskKind.RELATION):
            raise ValueError("negative_label belongs to relation tasks, which need one")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("labels holds one of them twice")
        return self
