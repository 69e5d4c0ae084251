"""Find the rows that belong to one sentence, where each row is the sentence with one marked or masked
pair."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from orchestrator.contracts.sameness import Identity, text_key

_SIGN = re.compile(r"[<>\[\]{}()@#$*^~|§¤_«»⟨⟩]")  # every mark contains one
# Marks surround a mention and keep it: without them, all pairs of a sentence have the same text.
_CLOSING = re.compile(r"[<\[]\s*[/\\]\s*([\w:.-]+)\s*[>\]]")
_BORDER = re.compile(r"[<\[{(]\s*[/\\]?[\w:-]*?(?:start|begin|end)[>\]})]|\b\w+_(?:start|begin|end)\b", re.I)
_DOUBLE = re.compile(r"<<|>>|\[\[|\]\]|\{\{|\}\}|\*\*|\$\$|@@|##|«|»|⟨|⟩")
_TYPED = re.compile(r"(?<!\S)([@#$§])\s*([*^~])\s*\S+\s*\2(?!\S)")  # @ * drug * aspirin @
_LONE = re.compile(r"(?<!\S)[@#$*^~|§¤](?!\S)")
_AROUND = re.compile(r"(?<![^\s(\[\"'])([@#$*^~|§¤_])(?!\s)([^@#$*^~|§¤\n]{1,80}?)(?<!\s)\1(?!\w)")
# Masks replace a mention.
_NAMES = "DRUG|GENE|CHEMICAL|CHEM|DISEASE|PROTEIN|PROT|ENTITY|ENT|MUTATION|VARIANT|PROBLEM|TEST|TREATMENT"
_MASK = re.compile(
    r"@[^\s@$]+\$|@[A-Z][A-Z_-]*@|#[A-Z][A-Z_-]*#|__[A-Za-z]+__"
    rf"|[@#$]?\b(?:{_NAMES})(?:[-_]?(?:\d{{1,2}}|[A-Z]|OTHER))?\b"
    r"|\b[A-Z]{3,}[-_]?\d{1,2}\b|\bX{3,}\b"
    r"|<[A-Za-z][\w:-]*>|\[[A-Za-z][\w:-]*\]|\{[A-Za-z][\w:-]*\}"
)
_MASK_SIGN = re.compile(r"[@#<\[{]|__|[A-Z]{3}")  # every mask contains one
_HERE = "\0"  # represents a mask among words
_RUN = 3  # consecutive words, by which rows of the same sentence are found
_Words = list[str]


def sentence_ids(texts: Sequence[str]) -> list[Identity]:
    """Return the sentence id of each row. All pairs of a sentence share it, and equal texts have equal ids.

    The id of a marked pair is the text without marks and blanks; that of a masked pair is the text of the
    first row of its sentence; any other row is its own id. Masked rows belong to one sentence if they differ
    only at their masks and share half of the words outside. Short rows are only recognised next to each
    other.
    """
    return list(_ids(tuple(texts)))


@lru_cache(maxsize=1)  # each split is taken from the same rows
def _ids(texts: Sequence[str]) -> list[Identity]:
    ids: dict[Identity, int] = {}  # masked rows without marks -> their number in `sentences`
    rows: list[Identity | int] = []
    sentences, before = _Sentences(), None
    for text in texts:
        plain = text_key(text)
        bare = without_marks(plain)
        identity = Identity(plain if bare == plain else "".join(bare.split()))
        around, masks = _MASK.subn(_HERE, bare) if _MASK_SIGN.search(bare) else (bare, 0)
        if masks and identity not in ids:
            words = [_HERE if _HERE in word else word for word in around.split()]
            ids[identity] = sentences.add(words, before)
        before = ids.get(identity)
        rows.append(identity if before is None else before)
    identities = list(ids)
    return [identities[sentences.first(row)] if isinstance(row, int) else row for row in rows]


class _Sentences:
    """Join masked rows of the same sentence."""

    def __init__(self) -> None:
        self._rows: list[_Words] = []
        self._first: list[int] = []
        self._latest: dict[tuple[str, ...], int] = {}  # run of words -> the last row that has it

    def add(self, words: _Words, before: int | None) -> int:
        """Add a row and return its number, counted from 0; `before` is the number of the row beside it."""
        row = len(self._rows)
        self._rows.append(words)
        self._first.append(row)
        runs = [run for run in zip(*(words[n:] for n in range(_RUN)), strict=False) if _HERE not in run]
        beside = [] if before is None else [before, self.first(before)]
        for near in dict.fromkeys([*beside, *(self._latest[run] for run in runs if run in self._latest)]):
            earlier, later = sorted((self.first(row), self.first(near)))
            if earlier != later and _agree(words, self._rows[near]):
                self._first[later] = earlier
        self._latest.update(dict.fromkeys(runs, row))
        return row

    def first(self, row: int) -> int:
        """Return the first row of the same sentence."""
        while self._first[row] != row:
            self._first[row] = self._first[self._first[row]]
            row = self._first[row]
        return row


def marks_a_pair(text: str) -> bool:
    """Return whether mentions of the text are marked, or two of them masked."""
    plain = text_key(text)
    bare = without_marks(plain)
    return bare != plain or len(_MASK.findall(bare)) > 1


def without_marks(text: str) -> str:
    """Return the text with its mentions, without the marks around them that we recognise."""
    if not _SIGN.search(text):
        return text
    for name in set(_CLOSING.findall(text)):
        text = re.sub(rf"[<\[]\s*[/\\]?\s*{re.escape(name)}(?:\s[^<>\[\]]*)?[>\]]", "", text)
    text = _DOUBLE.sub("", _BORDER.sub("", _TYPED.sub(r"\1", text)))
    lone = Counter(_LONE.findall(text))
    text = _LONE.sub(lambda match: "" if lone[match[0]] % 2 == 0 else match[0], text)
    return _AROUND.sub(r"\2", text)


def _agree(left: _Words, right: _Words) -> bool:
    """Return whether two rows share half of the words outside their masks and differ only at masks, where
    each has words in place of a mask."""
    fewer = min(len(left), len(right))
    start = next((index for index in range(fewer) if left[index] != right[index]), fewer)
    remaining = fewer - start
    end = next((index for index in range(remaining) if left[-1 - index] != right[-1 - index]), remaining)
    left_rest, right_rest = left[start : len(left) - end], right[start : len(right) - end]
    if not left_rest and not right_rest:
        return True
    if not _outside(left_rest) or not _outside(right_rest):
        return False  # a mention that one row masks has words in the other
    if _HERE not in left_rest[:1] + right_rest[:1] or _HERE not in left_rest[-1:] + right_rest[-1:]:
        return False
    shared = [*left[:start], *left[len(left) - end :], *(Counter(left_rest) & Counter(right_rest)).elements()]
    return 2 * _outside(shared) >= min(_outside(left), _outside(right))


def _outside(words: _Words) -> int:
    return len(words) - words.count(_HERE)
