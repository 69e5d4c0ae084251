"""Rows of which each is a sentence with one masked pair: which of them are of one sentence."""

from __future__ import annotations

import re

from orchestrator.contracts.sameness import Identity, text_key

_MARK = re.compile(r"@[^\s@$]+\$")


class Sentences:
    """Gives the pairs of one sentence one id. They stand side by side, as every converter writes them.

    What is before the first mark and behind the last one is the sentence's own: of two pairs of a sentence,
    the shorter beginning begins the longer one, and likewise with the ends. Two sentences that agree in both
    share an id as well, so that a split may be coarser than need be, but never parts a sentence.
    """

    def __init__(self) -> None:
        self._id: Identity | None = None
        self._start = self._end = ""  # the longest known of the sentence

    def id_of(self, text: str) -> Identity:
        """Call it row by row. Equal runs of rows get equal ids; a row without a mark is its own id."""
        identity = Identity(text := text_key(text))
        marks = list(_MARK.finditer(text))
        if not marks:
            self._id = None
            return identity
        start, end = text[: marks[0].start()], text[marks[-1].end() :]
        starts, ends = sorted((start, self._start), key=len), sorted((end, self._end), key=len)
        if self._id is None or not starts[1].startswith(starts[0]) or not ends[1].endswith(ends[0]):
            self._id, self._start, self._end = identity, start, end
        else:
            self._start, self._end = starts[1], ends[1]
        return self._id
