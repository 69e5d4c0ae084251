"""The documents that a task is tested on, in an order that only who holds the corpus can make."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from orchestrator.contracts.vocabulary import Unit
from workers.data.examples import Example


class Documents:
    """Number the documents (or patients, or what else the examples of a reader share: `Example.group`) in the
    order of a hash. Its key is made of all examples, text and labels included, in any order of rows, and is
    written nowhere; `test_set` is derived from the same digest and does not reveal it."""

    def __init__(self, examples: Sequence[Example]) -> None:
        digest = _digest(examples)
        key = _derived(digest, b"order")
        names = {_name(example) for example in examples}
        ordered = sorted(names, key=lambda name: hmac.digest(key, name.encode(), "sha256"))
        self._places = {name: index for index, name in enumerate(ordered)}
        self.test_set = _derived(digest, b"test part").hex()[:16]
        # Where the examples differ, the weakest.
        self.unit = max((example.unit for example in examples), key=list(Unit).index, default=Unit.DOCUMENT)

    def __len__(self) -> int:
        return len(self._places)

    def places(self, examples: Sequence[Example]) -> list[int]:
        """Return the number of the document of each example, from 0."""
        return [self._places[_name(example)] for example in examples]


def _name(example: Example) -> str:
    return example.group or example.document


def _digest(examples: Sequence[Example]) -> bytes:
    rows = sorted(hashlib.sha256(repr(example.__dict__).encode()).digest() for example in examples)
    return hashlib.sha256(b"".join(rows)).digest()


def _derived(digest: bytes, what: bytes) -> bytes:
    return hmac.digest(digest, what, "sha256")
