"""Where the data of a task is, and how its files are read: one record for each format."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from orchestrator.contracts.hub import RepositoryName
from orchestrator.contracts.record import ProblemError, Record, raise_problems
from orchestrator.contracts.separators import Separator
from orchestrator.contracts.task_rules import hold_out_problems, mimic_problems
from orchestrator.contracts.vocabulary import MOST_FOLDS, Split
from orchestrator.errors import Problem


def _below_data_dir(name: str) -> str:
    path = PurePosixPath(name)
    if not name.strip() or path.is_absolute() or ".." in path.parts or name.startswith("~"):
        fix = "write it relative to data_dir, without '..': data_dir says where the corpora lie"
        raise ProblemError(Problem.of_key("", f"is no path below data_dir, got {name!r}", fix))
    return name


DataPath = Annotated[str, AfterValidator(_below_data_dir)]
LabelSeparator = Annotated[str, Field(min_length=1, max_length=3)]
# Several files of a split are read one after another. A format of whole corpora takes directories and .tar.gz
# archives as well as files.
_ON_A_HUB = {Split.TRAIN: "train", Split.DEV: "validation", Split.TEST: "test"}  # how data sets name splits
_FORMAT = "the format of the files"
_FILES = "the files of each split, below data_dir"
_HOLD_OUT = "shares of train that become dev and test"
_TEXT = "the column of the text"
_SECOND_TEXT = "the column of a second text, for pairs"
_LABEL = "the column of the class, labels or number"
_LABEL_SEPARATOR = "multilabel: what is between the labels of a row"
_LABEL_COLUMNS = "multilabel: columns of 0 and 1, one for each label, instead of `label`"
_ID = "the column that says which document or patient a row is of; its rows stay in one split"
Files = dict[Split, Annotated[tuple[DataPath, ...], Field(min_length=1)]]


class HoldOut(Record):
    """Parts of the files of `train` that become the splits for which the corpus has no files of its own.

    A document (or all documents of one patient) falls into its part by a hash of its id alone: on every
    machine, in every order, with any selection of files. Rows without an id fall by their text, marked pairs
    by their sentence, just as firmly. Masked pairs fall by the first row of their sentence, so another order
    or selection of rows may move them, and pairs in another spelling fall apart: they are counted.

    With `folds` the documents of each seed are dealt to folds of equal size instead, with like shares of each
    class; `workers.data.folds` says how.
    """

    dev: float = Field(0, ge=0, lt=1, description="share of the documents or patients that becomes dev")
    test: float = Field(0, ge=0, lt=1, description="share of the documents or patients that becomes test")
    by: str | None = Field(
        None,
        description="a column, say of hospitals: rows of one value are in one split, by a hash of the value "
        "(csv, jsonl, parquet, hub, arrow)",
    )
    values: dict[Split, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="values of that column by split: their rows become it, and the others go by their id",
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=MOST_FOLDS,
        exclude_if=lambda folds: folds is None,
        description="cross-validation, instead of `test`: so many trainings per seed, which together test "
        "each document once; `dev` is then a share of what is not tested",
    )

    @property
    def splits(self) -> tuple[Split, ...]:
        """Return the splits that are taken from train."""
        shares = {Split.DEV: self.dev, Split.TEST: self.test}
        parts = tuple(split for split in shares if shares[split] or split in self.values)
        return parts if self.folds is None else (*parts, Split.TEST)

    @model_validator(mode="after")
    def _leaves_train(self) -> HoldOut:
        if not (self.dev + self.test > 0 or self.values or self.folds) or self.dev + self.test >= 1:
            problem = f"dev {self.dev:g} and test {self.test:g} make {self.dev + self.test:g} of train"
            raise ProblemError(Problem.of_key("", problem, "let them make more than 0 and less than 1"))
        raise_problems(hold_out_problems(self))
        return self


class ConllReader(Record):
    """One token a line, columns separated by `separator`, a blank line between sentences, BIO tags.

    `hold_out` parts train by the words of a document where -DOCSTART- lines mark documents, else by those of
    a sentence.
    """

    format: Literal["conll"] = Field("conll", description=_FORMAT)
    files: Files = Field(description=_FILES)
    separator: Literal["tab", "space"] = Field("tab", description="what is between the columns")
    token_column: int = Field(0, description="the column of the words, from 0; -1 is the last")
    tag_column: int = Field(-1, description="the column of the BIO tags, from 0; -1 is the last")
    hold_out: HoldOut | None = Field(None, description=_HOLD_OUT)


class PubtatorReader(Record):
    """PubTator documents (title, abstract, mention lines, relation lines).

    As a ner task: sentences of words with BIO tags of `entity_types`. As a relation task: every pair of a
    `relation_types`-typed relation's two entity types in one sentence, both mentions masked.
    """

    format: Literal["pubtator"] = Field("pubtator", description=_FORMAT)
    files: Files = Field(description=_FILES)
    entity_types: tuple[str, ...] = Field(description="types of the mentions; for relations those of a pair")
    relation: str | None = Field(None, description="relation tasks: its name in the files, say CID")
    hold_out: HoldOut | None = Field(None, description=_HOLD_OUT)  # by the document's id


class I2b2ConceptReader(Record):
    """i2b2/VA 2010: `txt`, `concept` and `rel` directories (or an archive of them), a file a record.

    As a ner task: each line of text is a sentence of words with BIO tags of the concepts. As a relation task:
    every pair of concepts of one line, both masked, as BLUE has it.
    """

    format: Literal["i2b2-2010"] = Field("i2b2-2010", description=_FORMAT)
    files: Files = Field(description=_FILES)
    hold_out: HoldOut | None = Field(None, description=_HOLD_OUT)


class I2b2XmlReader(Record):
    """i2b2 2012 and 2014: XML files with the text and, under TAGS, stand-off annotations.

    An annotation is an element named `element` (None: any of them) whose type is its attribute `attribute`.
    """

    format: Literal["i2b2-xml"] = Field("i2b2-xml", description=_FORMAT)
    files: Files = Field(description=_FILES)
    element: str | None = Field(None, description="the element of an annotation; null: any below TAGS")
    attribute: str = Field(description="the attribute with the type of an annotation")
    tokenised: bool = Field(False, description="words are separated by spaces; false: found by their letters")
    patient_before: str | None = Field(
        None, description="a patient is the file's name up to this text, say '-' for 110-01.xml"
    )
    hold_out: HoldOut | None = Field(None, description=_HOLD_OUT)


class MimicNotesReader(Record):
    """MIMIC-III as distributed: NOTEEVENTS, ADMISSIONS and, for codes, DIAGNOSES_ICD (and PROCEDURES_ICD), as
    .csv or .csv.gz.

    Discharge summaries cut to what is known at admission (van Aken et al. 2021), whole for discharge codes.
    Only `files[train]` is given, in any order; patients fall into the splits by `hold_out`. The length of
    stay is one of four classes, or the days of a regression task.
    """

    format: Literal["mimic-notes"] = Field("mimic-notes", description=_FORMAT)
    files: Files = Field(description=_FILES)
    outcome: Literal["mortality", "length-of-stay", "diagnosis-group", "discharge-codes"] = Field(
        description="what is predicted: at admission, or the ICD-9 codes of a whole discharge summary"
    )
    groups: DataPath | None = Field(
        None, description="diagnosis-group: a CSV of yours with the columns icd9_code and group"
    )
    codes: PositiveInt | None = Field(
        None, description="discharge-codes: so many codes count, the most frequent ones"
    )
    hold_out: HoldOut = Field(HoldOut(dev=0.1, test=0.2), description="the shares of patients, by their id")

    @model_validator(mode="after")
    def _has_its_tables(self) -> MimicNotesReader:
        raise_problems(mimic_problems(self))
        return self


class ArrowReader(Record):
    """Parquet files, or folders that `datasets.save_to_disk` wrote, one a split, as the study's preparation
    leaves them.

    For ner `tokens` and `tags` are columns; else `text` and `label`. Labels that are numbers are named by
    `names` in order, else by the data set's own class names, and tags also by the folder `info` beside it.
    Rows of one `id` (a document's, or a patient's) stay together under `hold_out`, and count as one document.
    Without it `hold_out` parts train by the text of a row. The labels of a multilabel row: as of a CSV or
    JSON-lines file.
    """

    format: Literal["arrow", "parquet"] = Field("arrow", description=_FORMAT)
    files: Files = Field(description=_FILES)
    tokens: str = Field("tokens", description="ner: the column of the words, a list in each row")
    tags: str = Field("ner_tags_str", description="ner: the column of the BIO tags, a list in each row")
    text: str = Field("text", description=_TEXT)
    second_text: str | None = Field(None, description=_SECOND_TEXT)
    label: str = Field("label", description=_LABEL)
    label_separator: LabelSeparator | None = Field(None, description=_LABEL_SEPARATOR)
    label_columns: tuple[str, ...] = Field((), description=_LABEL_COLUMNS)
    id: str | None = Field(None, description=_ID)
    names: tuple[str, ...] = Field(
        (),
        description="names of classes or tags that are numbers, in order; without it those of the data set",
    )
    hold_out: HoldOut | None = Field(None, description=_HOLD_OUT)


class HubReader(ArrowReader):
    """A data set of a Hugging Face hub, from its Parquet files alone: no loading script is ever run.

    `frontier stage` fetches the files and locks their commit. The columns are those of a Parquet file;
    classes that are numbers are also named by the data set's card (README.md).
    """

    format: Literal["hub"] = Field("hub", description=_FORMAT)  # type: ignore[assignment]  # a reader of its own, with the same columns
    dataset: RepositoryName = Field(description="OWNER/NAME of the data set")
    revision: str = Field("main", min_length=1, description="a commit; main can move until it is staged")
    config: str | None = Field(
        None, min_length=1, description="one of several configurations; null: the data set's default"
    )
    # Splits of the data set by name (train, validation and test, but for those that hold_out takes from
    # train), or its Parquet files by path, with * and ? for any characters.
    files: Files = Field(
        default_factory=dict,
        description="splits of the data set by name, or Parquet files by path; without it train, validation "
        "and test",
    )

    @model_validator(mode="after")
    def _has_its_splits(self) -> HubReader:
        if not self.files:
            taken = () if self.hold_out is None else self.hold_out.splits
            files = {split: (name,) for split, name in _ON_A_HUB.items() if split not in taken}
            object.__setattr__(self, "files", files)  # a default that depends on another key
        return self


class TableReader(Record):
    """A CSV or JSON-lines file with a text column and a label column.

    The labels of a multilabel row: a list in its `label`, a text there with `label_separator` between the
    labels, or one column of 0 and 1 for each label, named like it (`label_columns`). A row may have none.

    Rows of one `id` (a document's, or a patient's) stay together under `hold_out`, and count as one document.
    Without it `hold_out` parts train by the texts of a row, for relations by its sentence where that is
    recognised.
    """

    format: Literal["csv", "jsonl"] = Field(description=_FORMAT)
    files: Files = Field(description=f"{_FILES}; those that end in .gz are unpacked")
    separator: Separator | None = Field(
        None, description="csv: what is between the columns; null: what a first line sep= says, else a comma"
    )
    text: str = Field(description=_TEXT)
    second_text: str | None = Field(None, description=_SECOND_TEXT)
    label: str | None = Field(None, description=_LABEL)
    label_separator: LabelSeparator | None = Field(None, description=_LABEL_SEPARATOR)
    label_columns: tuple[str, ...] = Field((), description=_LABEL_COLUMNS)
    id: str | None = Field(None, description=_ID)
    hold_out: HoldOut | None = Field(None, description=_HOLD_OUT)
    merge: dict[str, str] = Field(
        default_factory=dict, description="labels of the file that become another: {file's label: task's}"
    )


Reader = Annotated[
    ConllReader
    | PubtatorReader
    | TableReader
    | I2b2ConceptReader
    | I2b2XmlReader
    | MimicNotesReader
    | ArrowReader
    | HubReader,
    Field(discriminator="format"),
]
