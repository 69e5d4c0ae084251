"""A folder written by `datasets.save_to_disk`, one per split, read without that library.

state.json          names the data files, in order
dataset_info.json   types of the columns; names the classes of a ClassLabel
data-*.arrow        Arrow IPC streams
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from orchestrator.errors import DataError
from workers.data.files import json_value, read_text
from workers.data.readers.columns import batch_rows, named_classes, pulled

_AGAIN = "write the folder again with save_to_disk"


@dataclass(frozen=True)
class ArrowFolder:
    """The columns of one split. Each method raises DataError for a damaged folder."""

    path: Path

    def column_names(self) -> list[str]:
        file = self._data_files()[0]
        import pyarrow

        try:
            with pyarrow.OSFile(str(file)) as source, pyarrow.ipc.open_stream(source) as stream:
                return [str(name) for name in stream.schema.names]
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            kind = type(error).__name__
        raise DataError(str(file), None, f"it is not an Arrow IPC stream ({kind})", _AGAIN)

    def rows(self, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the cells of each row in the order of `columns`."""
        for file in self._data_files():
            yield from pulled(_batches(file, columns), file, "an Arrow IPC stream", _AGAIN)

    def class_names(self, column: str) -> tuple[str, ...]:
        """Return the names of a ClassLabel or of a list of them; empty for other columns."""
        file = self.path / "dataset_info.json"
        if not file.is_file():
            return ()
        info = json_value(read_text(file))
        if not isinstance(info, dict):
            raise DataError(str(file), None, "it is not a JSON object", _AGAIN)
        return named_classes(info.get("features"), column)

    def _data_files(self) -> list[Path]:
        """Return the files that state.json names, at least one."""
        file = self.path / "state.json"
        if not file.is_file() and (self.path / "dataset_dict.json").is_file():
            raise DataError(str(self.path), None, "it holds several splits", "name one of the folders in it")
        state = json_value(read_text(file))
        files = state.get("_data_files") if isinstance(state, dict) else None
        names = [entry.get("filename") if isinstance(entry, dict) else None for entry in files or ()]
        # Only the folder's own files are ever opened.
        if not names or not all(
            isinstance(n, str) and n and "\0" not in n and PurePath(n).name == n for n in names
        ):
            raise DataError(str(file), None, "it names no data files beside it", _AGAIN)
        if isinstance(state, dict) and (state.get("_indices_data_files") or state.get("_indices_files")):
            raise DataError(
                str(file), None, "it selects rows by an index", "call flatten_indices() and " + _AGAIN
            )
        return [self.path / str(name) for name in names]


def _batches(file: Path, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    import pyarrow  # imported here, so that other formats do not wait for it

    with pyarrow.OSFile(str(file)) as source, pyarrow.ipc.open_stream(source) as stream:
        for batch in stream:
            yield batch_rows(batch, columns)
