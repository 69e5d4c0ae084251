"""Count what two splits share without keeping their text: digests under a key that no other process has."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from orchestrator.contracts.readers import ArrowReader, ConllReader, TableReader
from orchestrator.contracts.sameness import NO_ID, Identity, texts_key, words_key
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from workers.data.examples import Example, Tokens
from workers.data.holdout import Selector

_KEY: Final = secrets.token_bytes(32)
Digest = bytes


class Ids:
    """Collect the documents or patients of a split as its reader selects them."""

    def __init__(self, task: TaskSpec) -> None:
        self.known = _has_ids(task)
        self.digests: set[Digest] = set()
        self.groups: Counter[str] = Counter()  # rows by the column `by` of hold_out

    def noting(self, selected: Selector) -> Selector:
        """Return a selector that gives the same answers and notes what is selected."""

        def _noting(identity: Identity, group: Identity | None = None) -> bool:
            answer = selected(identity, group)
            if answer and self.known and identity != NO_ID:
                self.digests.add(_digest(identity))
            if answer and group:
                self.groups[group] += 1
            return answer

        return _noting


def _has_ids(task: TaskSpec) -> bool:
    """Return whether examples have ids. Without ids the text is the identity, and texts are compared
    anyway."""
    if isinstance(task.reader, TableReader | ArrowReader):
        return task.reader.id is not None
    return not isinstance(task.reader, ConllReader)


def shared_texts(splits: Mapping[Split, Sequence[Example]]) -> dict[tuple[Split, Split], int]:
    """Map (split, earlier split) to the number of examples whose text is also in the earlier split."""
    digests = {split: [_digest(_text(example)) for example in part] for split, part in splits.items()}
    texts = {split: set(part) for split, part in digests.items()}
    return {pair: sum(d in texts[pair[1]] for d in digests[pair[0]]) for pair in _pairs(splits)}


def repeated_texts(examples: Sequence[Example]) -> int:
    """Return the number of examples whose text is that of an earlier one."""
    return len(examples) - len({_digest(_text(example)) for example in examples})


def shared_ids(ids: Mapping[Split, Ids]) -> dict[tuple[Split, Split], int]:
    """Map (split, earlier split) to the number of ids in both; empty where examples have no ids."""
    pairs = _pairs({split: part for split, part in ids.items() if part.known})
    return {(split, earlier): len(ids[split].digests & ids[earlier].digests) for split, earlier in pairs}


def _pairs(splits: Mapping[Split, object]) -> list[tuple[Split, Split]]:
    order = [split for split in Split if split in splits]
    return [(split, earlier) for position, split in enumerate(order) for earlier in order[:position]]


def _text(example: Example) -> Identity:
    if isinstance(example, Tokens):
        return words_key([example.tokens])
    texts = [example.text] if example.second_text is None else [example.text, example.second_text]
    return texts_key(texts)


def _digest(key: Identity) -> Digest:
    return blake2b(key.encode("utf-8", "surrogatepass"), key=_KEY, digest_size=16).digest()
