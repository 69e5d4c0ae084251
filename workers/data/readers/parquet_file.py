"""A Parquet file, as pandas, Spark and the data sets of the Hugging Face hub have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import DataError
from workers.data.files import json_value
from workers.data.readers.columns import batch_rows, named_classes, pulled

_AGAIN = "write the file again, or fetch it again"
_FEATURES = b"huggingface"  # key of the file's metadata under which `datasets` keeps the types of columns


@dataclass(frozen=True)
class ParquetFile:
    """The columns of one file. Each method raises DataError for a damaged file."""

    path: Path

    def column_names(self) -> list[str]:
        return [str(name) for name in self._schema().names]

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the cells of each row in the order of `columns`."""
        yield from pulled(_batches(self.path, columns), self.path, "a Parquet file", _AGAIN)

    def class_names(self, column: str) -> tuple[str, ...]:
        """Return the names of a ClassLabel or of a list of them; empty for other columns."""
        metadata = (self._schema().metadata or {}).get(_FEATURES)
        info = None if metadata is None else json_value(metadata)
        details = info.get("info") if isinstance(info, dict) else None
        return named_classes(details.get("features") if isinstance(details, dict) else None, column)

    def _schema(self) -> Any:
        import pyarrow.parquet

        if not self.path.is_file():
            fix = "check data_dir, and `files` of the task, paths below it"
            raise DataError(str(self.path), None, "there is no such file", fix)
        try:
            return pyarrow.parquet.read_schema(self.path)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            kind = type(error).__name__
        raise DataError(str(self.path), None, f"it is not a Parquet file ({kind})", _AGAIN)


def _batches(file: Path, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(file) as source:
        for batch in source.iter_batches(columns=list(dict.fromkeys(columns))):
            yield batch_rows(batch, columns)
