"""What a reader does with a record that is malformed."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from orchestrator.errors import DataError


class Faults:
    """`on_bad_record` of a task at work: a reader hands over the fault and leaves the record out.

    A fault that makes the rest of a file unreadable is no record's own: readers raise it themselves.
    """

    def __init__(self, on_bad_record: Literal["error", "skip"]) -> None:
        self.on_bad_record = on_bad_record
        self.kinds: Counter[str] = Counter()  # records left out, by fault
        # Annotations that are sound, but that the examples cannot hold, by reason ("overlapping").
        self.set_aside: Counter[str] = Counter()
        # Relations that the labels of examples hold; one of a document may label several examples.
        self.relations = 0
        # Labels and entity types as the files spell them, with file and line of the first of each.
        self.spellings: dict[str, tuple[str, int | None]] = {}

    @property
    def count(self) -> int:
        """Records left out."""
        return self.kinds.total()

    def spelt(self, label: str, file: str, line: int | None) -> None:
        self.spellings.setdefault(label, (file, line))

    def found(self, error: DataError) -> None:
        """Raises it under "error"; else counts it, and the caller goes on without the record.

        Call it outside an except block: the exception handled there would ride along and may hold the text.
        """
        if self.on_bad_record == "error":
            raise error from None
        self.kinds[error.fault] += 1
