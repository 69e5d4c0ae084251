"""Find held-out texts that nearly repeat a train text, such as pairs of one sentence with unrecognised
marks."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import DataError
from workers.data.examples import Example, Text
from workers.data.holdout import parts_by_sentence
from workers.data.masked import without_marks

_WORD = re.compile(r"[^\W_]+")
_FEWEST = 4  # distinct words that a text needs to be compared
_RARE, _FOLLOWED = 5, 20  # rarest words of a text, and train texts per word, that are compared
_SHARE = 0.65  # of the words of the text with more words
_IN_ORDER = 0.25  # of its pairs of adjacent words: a mask or a mark breaks two of them
_MOST: Final = 0.2  # of a split: more is not chance

_Words = tuple[str, ...]  # without recognised marks


def near_train(task: TaskSpec, splits: Mapping[Split, Sequence[Example]]) -> dict[Split, int]:
    """Count the examples of each held-out split that share most of their words with a train text. The result
    is empty for tasks that are not split by sentence. The time is about linear in the number of texts; no
    text is kept."""
    held_out = [s for s in splits if s is not Split.TRAIN and s not in task.reader.files]
    if not held_out or Split.TRAIN not in splits or not parts_by_sentence(task.kind, task.reader):
        return {}
    train = _Texts(list(dict.fromkeys(map(_words, splits[Split.TRAIN]))))
    return {split: sum(train.agree(_words(example)) for example in splits[split]) for split in held_out}


def check_parted(task: TaskSpec, counted: Mapping[Split, SplitCounts]) -> None:
    """Raise DataError if so many texts agree that sentences were split up, and the reader can be given
    ids."""
    if not isinstance(task.reader, TableReader):
        return
    parted = [
        f"{counts.near_train:,} of {counts.examples:,} {split} texts"
        for split, counts in counted.items()
        if (counts.near_train or 0) > _MOST * counts.examples
    ]
    if parted:
        problem = f"{' and '.join(parted)} agree in most of their words with a train text"
        fix = (
            "name the column that says which rows are pairs of one sentence, as `id` of the reader or by "
            "`frontier init --id`; add one if there is none"
        )
        raise DataError(f"task {task.name}", None, problem, fix)


class _Texts:
    """Index the train texts by their words."""

    def __init__(self, texts: Sequence[_Words]) -> None:
        self._with: defaultdict[str, list[_Words]] = defaultdict(list)
        self._count = Counter(word for text in texts for word in set(text))
        for text in texts:
            for word in set(text):
                if len(self._with[word]) < _FOLLOWED:
                    self._with[word].append(text)

    def agree(self, text: _Words) -> bool:
        words = set(text)
        if len(words) < _FEWEST:
            return False
        rare = sorted(sorted(words & self._count.keys()), key=self._count.__getitem__)[:_RARE]
        return any(_agree(text, words, train_text) for word in rare for train_text in self._with[word])


def _agree(text: _Words, words: set[str], train_text: _Words) -> bool:
    other_words = set(train_text)
    if len(words & other_words) < _SHARE * max(len(words), len(other_words)):
        return False
    pairs, other_pairs = set(pairwise(text)), set(pairwise(train_text))
    return len(pairs & other_pairs) >= _IN_ORDER * max(len(pairs), len(other_pairs))


def _words(example: Example) -> _Words:
    text = example.text if isinstance(example, Text) else ""
    return tuple(_WORD.findall(without_marks(text).casefold()))
