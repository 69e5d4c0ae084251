"""What Arrow folders and Parquet files share: rows of typed columns, and names for numbered classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import DataError


class Columns(Protocol):
    """The columns of one file or folder. Each method raises DataError where it is damaged."""

    @property
    def path(self) -> Path: ...

    def column_names(self) -> list[str]: ...

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the cells of each row in the order of `columns`."""
        ...

    def class_names(self, column: str) -> tuple[str, ...]:
        """Return the names of a ClassLabel or of a list of them; empty for other columns."""
        ...


def batch_rows(batch: Any, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the rows of a pyarrow record batch. Raises pyarrow.ArrowException for one that is not valid."""
    batch.validate(full=True)
    cells = [batch.column(batch.schema.names.index(column)).to_pylist() for column in columns]
    return list(zip(*cells, strict=True))


def pulled(batches: Iterator[list[tuple[Any, ...]]], file: Path, what: str, fix: str) -> Iterator[list[Any]]:
    """Yield the rows of the batches of `file`, which is to be `what`. Raises DataError, with no other error
    as its context: an Arrow error may quote the text."""
    while True:
        rows, problem = _next(batches)
        if problem is not None:
            problem = f"it cannot be read as {what} with these columns ({problem})"
            raise DataError(str(file), None, problem, fix)
        if rows is None:
            return
        yield from map(list, rows)


def _next(batches: Iterator[list[tuple[Any, ...]]]) -> tuple[list[tuple[Any, ...]] | None, str | None]:
    """Return the rows of the next batch (None at the end) or the kind of error."""
    try:
        return next(batches, None), None
    except Exception as error:  # a damaged file can fail anywhere in the library
        return None, type(error).__name__


def named_classes(features: Any, column: str) -> tuple[str, ...]:
    """Return the class names of a column in the features of a `datasets` data set; empty if it has none."""
    feature = features.get(column) if isinstance(features, dict) else None
    while isinstance(feature, dict | list):
        if isinstance(feature, dict) and isinstance(feature.get("names"), list):
            return tuple(map(str, feature["names"]))
        feature = feature.get("feature") if isinstance(feature, dict) else (feature or [None])[0]
    return ()
