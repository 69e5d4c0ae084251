"""A task: what is predicted, from which files, scored by which metric."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from orchestrator.contracts.hub import RepositoryName
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import ProblemError, Record, raise_problems
from orchestrator.contracts.separators import Separator
from orchestrator.contracts.task_rules import hold_out_problems, mimic_problems, task_problems
from orchestrator.contracts.vocabulary import Sensitivity, Split, TaskKind
from orchestrator.errors import Problem


def _below_data_dir(name: str) -> str:
    path = PurePosixPath(name)
    if not name.strip() or path.is_absolute() or ".." in path.parts or name.startswith("~"):
        fix = "write it relative to data_dir, without '..': data_dir says where the corpora lie"
        raise ProblemError(Problem.of_key("", f"is no path below data_dir, got {name!r}", fix))
    return name


DataPath = Annotated[str, AfterValidator(_below_data_dir)]
Unit = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^\S.*$")]
LabelSeparator = Annotated[str, Field(min_length=1, max_length=3)]
# Several files of a split are read one after another. A format of whole corpora takes directories and .tar.gz
# archives as well as files.
_ON_A_HUB = {Split.TRAIN: "train", Split.DEV: "validation", Split.TEST: "test"}  # how data sets name splits
Files = dict[Split, Annotated[tuple[DataPath, ...], Field(min_length=1)]]


class HoldOut(Record):
    """Parts of the files of `train` that become the splits for which the corpus has no files of its own.

    A document (or all documents of one patient) falls into its part by a hash of its id alone: on every
    machine, in every order, with any selection of files. Rows without an id fall by their text, marked pairs
    by their sentence, just as firmly. Masked pairs fall by the first row of their sentence, so another order
    or selection of rows may move them, and pairs in another spelling fall apart: they are counted.
    """

    dev: float = Field(0, ge=0, lt=1)  # share of the ids
    test: float = Field(0, ge=0, lt=1)
    # A column, say of hospitals, whose rows of one value fall together, by a hash of the value. (csv,
    # jsonl, parquet, arrow)
    by: str | None = None
    # Values of that column by split: their rows become it. All other rows fall by their id, as without `by`.
    values: dict[Split, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @property
    def splits(self) -> tuple[Split, ...]:
        """Return the splits that are taken from train."""
        shares = {Split.DEV: self.dev, Split.TEST: self.test}
        return tuple(split for split in shares if shares[split] or split in self.values)

    @model_validator(mode="after")
    def _leaves_train(self) -> HoldOut:
        if not (self.dev + self.test > 0 or self.values) or self.dev + self.test >= 1:
            problem = f"dev {self.dev:g} and test {self.test:g} make {self.dev + self.test:g} of train"
            raise ProblemError(Problem.of_key("", problem, "let them make more than 0 and less than 1"))
        raise_problems(hold_out_problems(self))
        return self


class ConllReader(Record):
    """One token a line, columns separated by `separator`, a blank line between sentences, BIO tags.

    `hold_out` parts train by the words of a document where -DOCSTART- lines mark documents, else by those of
    a sentence.
    """

    format: Literal["conll"] = "conll"
    files: Files
    separator: Literal["tab", "space"] = "tab"
    token_column: int = 0
    tag_column: int = -1
    hold_out: HoldOut | None = None


class PubtatorReader(Record):
    """PubTator documents (title, abstract, mention lines, relation lines).

    As a ner task: sentences of words with BIO tags of `entity_types`. As a relation task: every pair of a
    `relation_types`-typed relation's two entity types in one sentence, both mentions masked.
    """

    format: Literal["pubtator"] = "pubtator"
    files: Files
    entity_types: tuple[str, ...]
    relation: str | None = None  # "CID"; relation tasks only
    hold_out: HoldOut | None = None  # by the document's id


class I2b2ConceptReader(Record):
    """i2b2/VA 2010: `txt`, `concept` and `rel` directories (or an archive of them), a file a record.

    As a ner task: each line of text is a sentence of words with BIO tags of the concepts. As a relation task:
    every pair of concepts of one line, both masked, as BLUE has it.
    """

    format: Literal["i2b2-2010"] = "i2b2-2010"
    files: Files
    hold_out: HoldOut | None = None


class I2b2XmlReader(Record):
    """i2b2 2012 and 2014: XML files with the text and, under TAGS, stand-off annotations.

    An annotation is an element named `element` (None: any of them) whose type is its attribute `attribute`.
    """

    format: Literal["i2b2-xml"] = "i2b2-xml"
    files: Files
    element: str | None = None
    attribute: str
    tokenised: bool = False  # spaces part the words of the text, which are else found by their letters
    patient_before: str | None = None  # a patient is the file's name up to this text: "-" for 110-01.xml
    hold_out: HoldOut | None = None


class MimicNotesReader(Record):
    """MIMIC-III as distributed: NOTEEVENTS, ADMISSIONS and, for triage, DIAGNOSES_ICD, as .csv or .csv.gz.

    Discharge summaries cut to what is known at admission (van Aken et al. 2021). Only `files[train]` is
    given, in any order; patients fall into the splits by `hold_out`.
    """

    format: Literal["mimic-notes"] = "mimic-notes"
    files: Files
    outcome: Literal["mortality", "length-of-stay", "diagnosis-group"]
    groups: DataPath | None = None  # diagnosis-group: your CSV of `icd9_code,group`, below the data directory
    hold_out: HoldOut = HoldOut(dev=0.1, test=0.2)

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

    format: Literal["arrow", "parquet"] = "arrow"
    files: Files
    tokens: str = "tokens"
    tags: str = "ner_tags_str"
    text: str = "text"
    second_text: str | None = None
    label: str = "label"
    label_separator: LabelSeparator | None = None
    label_columns: tuple[str, ...] = ()  # instead of `label`
    id: str | None = None  # column, of text or whole numbers
    names: tuple[str, ...] = ()
    hold_out: HoldOut | None = None


class HubReader(ArrowReader):
    """A data set of a Hugging Face hub, from its Parquet files alone: no loading script is ever run.

    `frontier stage` fetches the files and locks their commit. The columns are those of a Parquet file;
    classes that are numbers are also named by the data set's card (README.md).
    """

    format: Literal["hub"] = "hub"  # type: ignore[assignment]  # a reader of its own, with the same columns
    dataset: RepositoryName
    revision: str = Field("main", min_length=1)
    config: str | None = Field(None, min_length=1)  # None: the data set's default
    # Splits of the data set by name (train, validation and test, but for those that hold_out takes from
    # train), or its Parquet files by path, with * and ? for any characters.
    files: Files = Field(default_factory=dict)

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

    format: Literal["csv", "jsonl"]
    files: Files  # those that end in .gz are unpacked
    separator: Separator | None = None  # csv; None: that of a first line `sep=;`, else a comma
    text: str  # column
    second_text: str | None = None  # column, sentence-pair tasks
    label: str | None = None  # column
    label_separator: LabelSeparator | None = None  # multilabel: what stands between the labels of a row
    label_columns: tuple[str, ...] = ()  # multilabel: columns of 0 and 1, instead of `label`
    id: str | None = None  # column, of text or whole numbers
    hold_out: HoldOut | None = None
    merge: dict[str, str] = Field(default_factory=dict)  # label in the file -> label of the task


class MadeNotes(Record):
    """Invented notes (`workers.demo.notes`), written in the layout that the reader reads.

    The digest of these values and of the generator's code is the identity of the data.
    """

    train: PositiveInt = 400
    dev: PositiveInt = 100
    test: PositiveInt = 200
    seed: int = 0


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


class TaskSpec(Record):
    name: str
    title: str = Field(description="what is predicted, in a few words")
    kind: TaskKind = Field(description="classification, multilabel, ner, relation or regression")
    domain: str = Field(description="what its texts are, say clinical, biomedical or general")
    reader: Reader = Field(description="a mapping with format, files, and the columns of its format")
    # Other layouts of the same corpus. The first one whose files are in the data directory takes the place of
    # `reader` when a sweep is loaded; in a resolved sweep there are none left.
    layouts: tuple[Reader, ...] = ()
    on_bad_record: Literal["error", "skip"] = "error"  # skip: leave it out, count it, report the count
    # Also score as Taylor et al. 2024 did: for ner all sub-words of a word have its tag, in training
    # as in scoring. Our own score is reported beside it.
    paper_scoring: bool = False
    corpus: str | None = (
        None  # what the texts were taken from, say mimic-iii; compared with what backbones saw
    )
    # sensitive: a sweep starts only where `frontier doctor --strict` passes, or it accepts the risk by name.
    data: Sensitivity | None = None
    made: MadeNotes | None = None  # the files are invented on the spot instead of lying in data_dir
    labels: tuple[str, ...] | None = None  # None: those of train, sorted. For ner: entity types without B-/I-
    negative_label: str | None = None  # relation tasks: the class that means "no relation"
    positive_label: str | None = None  # classification: the class whose precision, recall and F1 are measured
    unit: Unit | None = Field(None, description="of the number that a regression predicts, say days")
    metric: MetricName  # the primary one: selects the best checkpoint and is the quality
    max_length: PositiveInt = 128  # tokens; longer inputs are cut and counted
    train_examples: PositiveInt | None = None  # as published, for the estimate of a plan
    mean_tokens: PositiveInt | None = None  # of an encoded example, for the estimate of a plan
    licence: str | None = None
    note: str | None = None  # shown wherever a score of this task is shown

    @property
    def invented(self) -> bool:
        return self.made is not None

    @property
    def reads_data_dir(self) -> bool:
        """Return whether its files are the user's own, below `data_dir` of a sweep."""
        return self.made is None and not isinstance(self.reader, HubReader)

    @model_validator(mode="after")
    def _coherent(self) -> TaskSpec:
        raise_problems(task_problems(self))
        return self
