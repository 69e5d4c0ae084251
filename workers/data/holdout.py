"""Hold splits out of train by the id of a document or patient."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from orchestrator.contracts.readers import ArrowReader, HoldOut, Reader, TableReader
from orchestrator.contracts.sameness import Identity, id_key, texts_key
from orchestrator.contracts.vocabulary import Split, TaskKind

_SALT = "frontier-hold-out-1"  # a change changes every held-out split


class Selector(Protocol):
    """Answer whether the split that is read contains the document or patient with this id, whose rows have
    `group` in the column `by` of hold_out."""

    def __call__(self, identity: Identity, group: Identity | None = None, /) -> bool: ...


def part_of(identity: str, hold_out: HoldOut, group: str | None = None) -> Split:
    """Return the split of a document or patient. It depends only on the id, so equal ids share a split.

    With `by` of hold_out it depends only on the `group`, unless `values` names groups: then only these do,
    and all others depend on the id.

    Each id falls into dev with probability `dev` and into test with `test`, so the shares hold on average: of
    n ids dev gets n * dev, give or take sqrt(n * dev * (1 - dev)) (one standard deviation: a tenth of 170
    records is 17 +- 4). A larger share of dev holds the ids of a smaller one.
    """
    if hold_out.by is not None and group is not None:
        named = (split for split, values in hold_out.values.items() if group in {*map(id_key, values)})
        if (split := next(named, None)) is not None:
            return split
        identity = identity if hold_out.values else group
    digest = hashlib.sha256(f"{_SALT}:{identity}".encode("utf-8", "surrogatepass")).digest()
    position = (int.from_bytes(digest[:8]) >> 11) / 2**53  # at least 0, below 1
    if position < hold_out.dev:
        return Split.DEV
    # Test takes its share from the other end, so that another share of dev does not change it.
    return Split.TEST if position >= 1 - hold_out.test else Split.TRAIN


def dealt_by(reader: ArrowReader | TableReader, texts: Sequence[Any]) -> Identity:
    """Return the identity of a row without an id: its texts. Folds are dealt by the first of them, so that
    rows that share it, which are tested as one, are in one fold."""
    has_folds = reader.hold_out is not None and reader.hold_out.folds is not None
    return texts_key(texts[:1] if has_folds else texts)


def parts_by_sentence(kind: TaskKind, reader: Reader) -> bool:
    """Return whether rows without an id are held out by sentence, because several may be pairs of one
    sentence. Readers then ask a `Selector` about the text of a row."""
    if kind is not TaskKind.RELATION or reader.hold_out is None:
        return False
    return isinstance(reader, ArrowReader | TableReader) and reader.id is None
