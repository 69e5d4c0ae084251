"""Deal the documents of a task to the folds of a cross-validation, and a part of the others to dev.

Like scikit-learn's StratifiedGroupKFold: rows of one document, patient or value of `by` stay together, folds
are of equal size as far as that allows, and each class is spread over them. Which documents meet in a fold
depends on the seed, and on nothing else than the ids, classes and numbers of examples in the files: on every
machine, in every order of rows.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.contracts.fold import Fold
from orchestrator.contracts.readers import HoldOut
from orchestrator.contracts.sameness import NO_ID, Identity
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import DataError
from workers.data.examples import Example, labels_of
from workers.data.holdout import Selector

_SALT = "frontier-folds-1"  # a change changes every fold


@dataclass(frozen=True)
class FoldOfSeed:
    """What decides the splits of a task with folds: one is test, the others are train and dev."""

    fold: Fold
    seed: int


class Dealt:
    """The split of each document under one fold and seed. It holds ids."""

    def __init__(self, splits: Mapping[Identity, Split], hold_out: HoldOut) -> None:
        self._splits, self._hold_out = splits, hold_out

    def selector(self, split: Split) -> Selector:
        """What belongs to no document is in train."""

        def _selected(identity: Identity, group: Identity | None = None) -> bool:
            return self._splits.get(_key(self._hold_out, identity, group), Split.TRAIN) is split

        return _selected


def deal(
    task: TaskSpec, hold_out: HoldOut, which: FoldOfSeed, read: Callable[[Selector], Iterable[Example]]
) -> Dealt:
    """`read` yields each example of train when it has asked the given selector for its document. Raises
    DataError where there are fewer documents than folds."""
    documents = _documents(hold_out, read)
    if len(documents) < which.fold.of:
        count = len(documents)
        what = "documents or patients" if hold_out.by is None else f"values of the column {hold_out.by!r}"
        problem = f"there are {count} {what} in train, and {which.fold.of} folds"
        fix = f"set hold_out.folds to {count} or less" if count > 1 else "remove hold_out.folds"
        raise DataError(f"task {task.name}", None, problem, fix)
    folds = _spread(documents, [1.0] * which.fold.of, f"{which.seed}")
    tested = {key for key, number in folds.items() if number == which.fold.number - 1}
    splits = dict.fromkeys(tested, Split.TEST)
    if hold_out.dev:
        others = {key: labels for key, labels in documents.items() if key not in tested}
        salt = f"{which.seed}:{which.fold.number}"
        parts = _spread(others, [1 - hold_out.dev, hold_out.dev], salt)
        chosen = {key for key, part in parts.items() if part} or {min(others, key=lambda k: _rank(salt, k))}
        splits |= dict.fromkeys(chosen if len(others) > 1 else (), Split.DEV)
    return Dealt(splits, hold_out)


def _documents(
    hold_out: HoldOut, read: Callable[[Selector], Iterable[Example]]
) -> dict[Identity, Counter[str]]:
    """Return the labels of each document; "" counts its examples."""
    documents: dict[Identity, Counter[str]] = {}
    asked = NO_ID

    def _every(identity: Identity, group: Identity | None = None) -> bool:
        nonlocal asked
        asked = _key(hold_out, identity, group)
        return True

    for example in read(_every):
        if asked != NO_ID:
            documents.setdefault(asked, Counter()).update(["", *labels_of(example)])
    return documents


def _key(hold_out: HoldOut, identity: Identity, group: Identity | None) -> Identity:
    return identity if hold_out.by is None or group is None else group


def _spread(
    documents: Mapping[Identity, Counter[str]], shares: Sequence[float], salt: str
) -> dict[Identity, int]:
    """Return the part of each document. Each goes to the part that its labels, and then its examples, fill
    least in proportion to the share (the divisors of Sainte-Laguë). Large ones come first, because small ones
    even out what they leave; of two whose sizes differ by less than a factor of four, the seed says which."""
    have = [Counter[str]() for _ in shares]
    totals = sum(documents.values(), Counter())
    parts: dict[Identity, int] = {}
    for key in sorted(documents, key=lambda key: _turn(salt, key, documents[key][""])):
        own = documents[key]

        def filled(part: int, own: Counter[str] = own) -> tuple[float, float, int]:
            by_label = math.fsum(  # the same in every order of labels
                count / totals[label] * (have[part][label] + count / 2)
                for label, count in own.items()
                if label
            )
            return by_label / shares[part], (have[part][""] + own[""] / 2) / shares[part], part

        parts[key] = min(range(len(shares)), key=filled)
        have[parts[key]] += own
    return parts


def _turn(salt: str, key: Identity, size: int) -> tuple[int, bytes]:
    """Return when a document is dealt: by its size times a chance between one and four, in whole numbers."""
    rank = _rank(salt, key)
    return -size * (4 * 2**64 - 3 * int.from_bytes(rank[:8])), rank


def _rank(salt: str, key: Identity) -> bytes:
    return hashlib.sha256(f"{_SALT}:{salt}:{key}".encode("utf-8", "surrogatepass")).digest()
