"""How readers handle malformed records."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from orchestrator.errors import DataError


class Faults:
    """Apply `on_bad_record` of a task: a reader hands over the problem and leaves the record out.

    If a problem makes the rest of a file unreadable, it belongs to no record: readers then raise it
    themselves.
    """

    def __init__(self, on_bad_record: Literal["error", "skip"]) -> None:
        self.on_bad_record = on_bad_record
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
        """Raise the problem under "error"; otherwise count it, and the caller continues without the record.

        Call this outside an except block: the handled exception would become its context and may hold the
        text.
        """
        if self.on_bad_record == "error":
            raise error from None
        self.kinds[error.fault] += 1
