"""How readers handle malformed records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from orchestrator.errors import DataError, malformed

_MOST = 10_000  # records that one message counts


class Faults:
    """Apply `on_bad_record` of a task: a reader hands over the problem and leaves the record out.

    If a problem makes the rest of a file unreadable, it belongs to no record: readers then raise it
    themselves. With `together`, problems under "error" are kept until `refuse`, which names all of them.
    """

    def __init__(self, on_bad_record: Literal["error", "skip"], together: bool = False) -> None:
        self.on_bad_record = on_bad_record
        self._together = together
        self.errors: dict[tuple[str, int | None, str], DataError] = {}  # those that are kept
        self.kinds: Counter[str] = Counter()  # records left out, by problem
        # Sound annotations that the examples cannot hold, by reason ("overlapping").
        self.set_aside: Counter[str] = Counter()
        # Relations that the labels of examples hold; one of a document may label several examples.
        self.relations = 0
        # Labels and entity types as the files spell them, with file and line of their first occurrence.
        self.spellings: dict[str, tuple[str, int | None]] = {}

    @property
    def count(self) -> int:
        """Return the number of records left out."""
        return self.kinds.total()

    def spelt(self, label: str, file: str, line: int | None) -> None:
        self.spellings.setdefault(label, (file, line))

    def found(self, error: DataError) -> None:
        """Raise or keep the problem under "error"; otherwise count it. The caller continues without the
        record.

        Call this outside an except block: the handled exception would become its context and may hold the
        text.
        """
        if self.on_bad_record == "error":
            if not self._together:
                raise error from None
            if len(self.errors) == _MOST:
                fix = "check that the reader describes this file, and correct the records above"
                raise DataError(
                    error.file, None, f"more than {_MOST:,} malformed records: not read further", fix
                )
            # A traceback holds the row, whose text has to go with the reader.
            self.errors.setdefault((error.file, error.line, error.fault), error.with_traceback(None))
            return
        self.kinds[error.fault] += 1

    def of_other_splits(self) -> Faults:
        """Return the faults of records that count in another split, and that are errors here as well."""
        apart = Faults(self.on_bad_record, self._together)
        apart.errors = self.errors
        return apart


def refuse(faults: Iterable[Faults], broken: DataError | None = None) -> None:
    """Raise DataError with all problems that were kept, each once, and with what made a file unreadable."""
    kept: dict[tuple[str, int | None, str], DataError] = {}
    for each in faults:
        kept |= each.errors
    if errors := [*kept.values(), *filter(None, [broken])]:
        raise malformed(errors) from None
