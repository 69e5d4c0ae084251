"""What a worker says about a file that no task describes yet: names of columns, counts and lengths, no text.

Values stay in the worker, those of short columns too: a column may hold the names of doctors.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from orchestrator.contracts.hub import RepositoryName
from orchestrator.contracts.record import Record
from orchestrator.contracts.separators import Separator


class DatasetName(Record):
    """A data set of a hub, and the folder that its files are fetched into."""

    name: RepositoryName
    revision: str
    cache_dir: str


class LookRequest(Record):
    """A file or folder that the user named, or a data set of a hub, to `python -m workers.look`."""

    path: str
    dataset: DatasetName | None = Field(None, description="in place of a path")
    separator: Separator | None = Field(None, description="of CSV; None: the one that fits")


class ColumnLook(Record):
    """One column, over the rows that have a value in it."""

    name: str
    filled: NonNegativeInt
    distinct: NonNegativeInt
    mean_words: NonNegativeFloat
    long_words: NonNegativeInt = Field(description="19 of 20 values have no more words than this")
    lists: bool = Field(False, description="its values are lists")
    tags: bool = Field(False, description="its lists hold BIO tags, or numbers that the folder names so")
    marked: NonNegativeFloat = Field(
        0.0, description="share of the values with two marked or masked mentions"
    )
    sizes: tuple[NonNegativeInt, ...] | None = Field(
        None, description="rows per value, the largest first; None unless the values can be names of classes"
    )
    label_sizes: tuple[NonNegativeInt, ...] | None = Field(
        None, description="rows per label, the largest first, of lists or of texts with several labels"
    )
    label_separator: str | None = Field(None, description="what is between the labels of a text")
    numeric: bool = Field(False, description="all values are numbers")
    decimal_comma: bool = Field(False, description="they would be, with a point for the decimal comma")
    numbered: NonNegativeInt | None = Field(
        None, description="how many values there are, if they are 0, 1, 2, … without a gap"
    )
    negative: str | None = Field(None, description="a value of a known list that means: no relation")


class DataLook(Record):
    """What one file, or one split of a folder, holds."""

    format: Literal["csv", "jsonl", "conll", "arrow", "parquet", "hub"]
    rows: NonNegativeInt = Field(description="for conll sentences")
    columns: tuple[ColumnLook, ...] = ()
    other_columns: NonNegativeInt = Field(0, description="columns whose names cannot be shown, or are rare")
    separator: str | None = Field(None, description="as the reader's key names it; None: its default")
    token_column: NonNegativeInt | None = Field(None, description="of conll")
    tag_column: NonNegativeInt | None = None
    entities: dict[str, NonNegativeInt] | None = Field(None, description="mentions by type, of conll")
    long_words: NonNegativeInt | None = Field(None, description="of conll sentences, as of a column")
    documents: NonNegativeInt = Field(0, description="-DOCSTART- lines of conll")
    folders: dict[str, str] = Field(
        default_factory=dict, description="of a folder of splits, or a data set of a hub: name by split"
    )
    dataset: str | None = Field(None, description="OWNER/NAME of a hub")
    revision: str | None = Field(None, description="the commit of a hub's data set that was looked at")
