"""Rows of which each is a sentence with one marked or masked pair: which of them are of one sentence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from orchestrator.contracts.sameness import Identity, text_key

# Marks are around a mention and leave it as it is: without them, all pairs of a sentence have one text.
_CLOSING = re.compile(r"[<\[]\s*[/\\]\s*([\w:.-]+)\s*[>\]]")
_BORDER = re.compile(r"[<\[{(]\s*[/\\]?[\w:-]*?(?:start|begin|end)[>\]})]|\b\w+_(?:start|begin|end)\b", re.I)
_DOUBLE = re.compile(r"<<|>>|\[\[|\]\]|\{\{|\}\}|\*\*|\$\$|@@|##|«|»|⟨|⟩")
_TYPED = re.compile(r"(?<!\S)([@#$§])\s*([*^~])\s*\S+\s*\2(?!\S)")  # @ * drug * aspirin @
_LONE = re.compile(r"(?<!\S)[@#$*^~|§¤](?!\S)")
_AROUND = re.compile(r"(?<![^\s(\[\"'])([@#$*^~|§¤_])(?!\s)([^@#$*^~|§¤\n]{1,80}?)(?<!\s)\1(?!\w)")
# Masks are in the place of a mention.
_NAMES = "DRUG|GENE|CHEMICAL|CHEM|DISEASE|PROTEIN|PROT|ENTITY|ENT|MUTATION|VARIANT|PROBLEM|TEST|TREATMENT"
_MASK = re.compile(
    r"@[^\s@$]+\$|@[A-Z][A-Z_-]*@|#[A-Z][A-Z_-]*#|__[A-Za-z]+__"
    rf"|[@#$]?\b(?:{_NAMES})(?:[-_]?(?:\d{{1,2}}|[A-Z]|OTHER))?\b"
    r"|\b[A-Z]{3,}[-_]?\d{1,2}\b|\bX{3,}\b"
    r"|<[A-Za-z][\w:-]*>|\[[A-Za-z][\w:-]*\]|\{[A-Za-z][\w:-]*\}"
)
_HERE = "\0"  # a mask, among words
_RUN = 3  # words in a row that two rows of a sentence share
_COMMON = 300  # rows with the same run; a run of more of them tells nothing
_NEXT = 3  # of the rows with the same run, those that are compared with each
_SHARE = 0.5  # of the words of the row that has fewer


def sentence_ids(texts: Sequence[str]) -> list[Identity]:
    """One id for all pairs of a sentence, row by row.

    The id of marked pairs is the text without marks and blanks, that of masked pairs the text of the first
    row of their sentence; a row of neither kind is its own id. Masked rows are of one sentence where they
    differ only at their masks. Sentences that differ only there share an id as well, so that a split may be
    coarser than need be.
    """
    return list(_ids(tuple(texts)))


@lru_cache(maxsize=1)  # each split reads the same file
def _ids(texts: Sequence[str]) -> list[Identity]:
    plain = [text_key(text) for text in texts]
    bare = [_without_marks(text) for text in plain]
    first = _first_rows([_MASK.split(text) for text in bare])
    return [
        Identity(plain[first[row]] if _MASK.search(bare[row]) else _compact(bare[row], text))
        for row, text in enumerate(plain)
    ]


def _compact(bare: str, text: str) -> str:
    return text if bare == text else "".join(bare.split())


def _without_marks(text: str) -> str:
    for name in set(_CLOSING.findall(text)):
        text = re.sub(rf"[<\[]\s*[/\\]?\s*{re.escape(name)}(?:\s[^<>\[\]]*)?[>\]]", "", text)
    text = _DOUBLE.sub("", _BORDER.sub("", _TYPED.sub(r"\1", text)))
    lone = Counter(_LONE.findall(text))
    text = _LONE.sub(lambda found: "" if lone[found[0]] % 2 == 0 else found[0], text)
    return _AROUND.sub(r"\2", text)


def _first_rows(pieces: Sequence[Sequence[str]]) -> list[int]:
    """For each row the first one of its sentence; `pieces` are the text between masks, one where none is."""
    first = list(range(len(pieces)))

    def join(row: int, other: int) -> None:
        low, high = sorted((_root(first, row), _root(first, other)))
        first[high] = low

    for run in _side_by_side(pieces):
        for row in run[1:]:
            join(run[0], row)
    # Of rows that are joined already, the first one speaks for all.
    words = [
        f" {_HERE} ".join(parts).split() if len(parts) > 1 and first[row] == row else []
        for row, parts in enumerate(pieces)
    ]
    for row, other in _neighbours(words):
        if _root(first, row) != _root(first, other) and _agree(words[row], words[other]):
            join(row, other)
    return [_root(first, row) for row in range(len(first))]


def _root(first: list[int], row: int) -> int:
    while first[row] != row:
        first[row] = first[first[row]]
        row = first[row]
    return row


def _side_by_side(pieces: Sequence[Sequence[str]]) -> list[list[int]]:
    """Runs of rows with one sentence's beginning and end, as every converter writes them.

    What is before the first mask and behind the last one is the sentence's own: of two pairs of a sentence,
    the shorter beginning begins the longer one, and likewise with the ends.
    """
    runs: list[list[int]] = []
    longest: tuple[str, str] | None = None  # beginning and end that are known of the sentence
    for row, parts in enumerate(pieces):
        if len(parts) == 1:
            longest = None
            continue
        starts = sorted((parts[0], longest[0] if longest else ""), key=len)
        ends = sorted((parts[-1], longest[1] if longest else ""), key=len)
        if longest is None or not starts[1].startswith(starts[0]) or not ends[1].endswith(ends[0]):
            runs.append([])
            longest = parts[0], parts[-1]
        else:
            longest = starts[1], ends[1]
        runs[-1].append(row)
    return runs


def _neighbours(words: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that share a run of words without a mask, each pair once."""
    rows: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, found in enumerate(words):
        for run in {tuple(found[at : at + _RUN]) for at in range(len(found) - _RUN + 1)}:
            if _HERE not in run:
                rows[run].append(row)
    seen: set[tuple[int, int]] = set()
    for same in rows.values():
        if len(same) <= _COMMON:
            pairs = {(row, other) for at, row in enumerate(same) for other in same[at + 1 : at + 1 + _NEXT]}
            yield from sorted(pairs - seen)
            seen |= pairs


def _agree(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the two differ only where one of them has a mask."""
    mine, theirs = set(words), set(others)
    if len(mine & theirs) < _SHARE * min(len(mine), len(theirs)):
        return False
    matched = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
    return all(kind == "equal" or _HERE in words[a:b] or _HERE in others[c:d] for kind, a, b, c, d in matched)
