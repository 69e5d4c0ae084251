"""The documents that a task is tested on, in an order that only who holds the corpus can make."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.contracts.vocabulary import Unit
from workers.data.examples import Example


@dataclass(frozen=True)
class Documents:
    """Which documents (or patients, or what else the examples of a reader share: `Example.group`) examples
    belong to, in numbers that say nothing of them."""

    places: tuple[int, ...]  # the number of the document of each example, from 0
    count: int  # of all documents that the task is tested on
    test_set: str  # a digest of all examples of these
    unit: Unit


def number_documents(examples: Sequence[Example], among: Sequence[Example] | None = None) -> Documents:
    """Number the documents of `examples` in the order of a hash.

    Its key is made of all examples that the task is tested on, text and labels included, in any order of
    rows, and is written nowhere; `test_set` is derived from the same digest and does not reveal it. `among`:
    all of them, where `examples` are those of one fold.
    """
    tested = examples if among is None else among
    digest = _digest(tested)
    key = _derived(digest, b"order")
    ordered = sorted(set(map(_name, tested)), key=lambda name: hmac.digest(key, name.encode(), "sha256"))
    number = {name: index for index, name in enumerate(ordered)}
    return Documents(
        places=tuple(number[_name(example)] for example in examples),
        count=len(ordered),
        test_set=_derived(digest, b"test part").hex()[:16],
        # Where the examples differ, the weakest.
        unit=max((example.unit for example in tested), key=list(Unit).index, default=Unit.DOCUMENT),
    )


def _name(example: Example) -> str:
    return example.group or example.document


def _digest(examples: Sequence[Example]) -> bytes:
    rows = sorted(hashlib.sha256(repr(example.__dict__).encode()).digest() for example in examples)
    return hashlib.sha256(b"".join(rows)).digest()


def _derived(digest: bytes, what: bytes) -> bytes:
    return hmac.digest(digest, what, "sha256")
