"""All splits of a task, and the counts within and between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.fold import Fold
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data.copies import Ids, shared_ids, shared_texts
from workers.data.examples import Example, Tokens
from workers.data.faults import Faults, refuse
from workers.data.folds import FoldOfSeed
from workers.data.groups import grouped
from workers.data.labels import class_counts, label_set
from workers.data.near import near_train
from workers.data.readers.mimic_notes import tables_read_once
from workers.data.splits import deal_folds, read_split, splits_of


@dataclass(frozen=True, repr=False)
class Corpus:
    """The splits as read. It holds patient text."""

    task: TaskSpec
    labels: tuple[str, ...]  # by class id
    splits: dict[Split, list[Example]]
    faults: dict[Split, Faults]
    ids: dict[Split, Ids]
    # With folds: test of all folds together, this one's last; else test.
    tested: list[Example]

    def counts(self, used: Mapping[Split, Sequence[Example]] | None = None) -> dict[Split, SplitCounts]:
        """Count all examples, or the `used` ones of each split. This does not count what is cut."""
        splits = self.splits if used is None else used
        texts, ids, near = shared_texts(splits), shared_ids(self.ids), near_train(self.task, splits)
        return {
            split: SplitCounts(
                examples=len(examples),
                **self._classes(examples),
                mean_words=sum(map(_words, examples)) / len(examples) if examples else None,
                also_in_train=texts.get((split, Split.TRAIN)),
                also_in_dev=texts.get((split, Split.DEV)),
                near_train=near.get(split),
                ids=len(self.ids[split].digests) if self.ids[split].known else None,
                ids_also_in_train=ids.get((split, Split.TRAIN)),
                ids_also_in_dev=ids.get((split, Split.DEV)),
                skipped=dict(self.faults[split].kinds),
                set_aside=dict(self.faults[split].set_aside),
            )
            for split, examples in splits.items()
        }

    def counts_by_words(self, *lengths: int) -> dict[int, dict[Split, SplitCounts]]:
        """Count all examples and the least that is cut at each length: a word is at least one token."""
        counts = self.counts()
        return {
            length: {s: _cut_by_words(counted, self.splits[s], length) for s, counted in counts.items()}
            for length in lengths
        }

    def _classes(self, examples: Sequence[Example]) -> dict[str, int]:
        if self.task.kind is TaskKind.REGRESSION:
            return {}
        class_sizes = class_counts(examples)
        names = {label.partition("-")[2] or label for label in self.labels} if self._ner else set(self.labels)
        names -= {"O"} if self._ner else set()
        counts = {"classes": len(names), "absent_classes": len(names - class_sizes.keys())}
        return counts | ({"mentions": sum(class_sizes.values())} if self._ner else {})

    @property
    def _ner(self) -> bool:
        return self.task.kind is TaskKind.NER


def read_corpus(
    task: TaskSpec, root: Path, splits: Iterable[Split] | None = None, which: FoldOfSeed | None = None
) -> Corpus:
    """Read all splits that can be read, or the given ones. Raises what `read_split` and `label_set` raise.

    Of a task with folds all splits are those of `which`; None: of the first fold of seed 0, for what is about
    the task and no trial.
    """
    selected = splits_of(task) if splits is None or task.folds else tuple(splits)
    if task.folds is not None and which is None:
        which = FoldOfSeed(Fold(number=1, of=task.folds), 0)
    faults = {split: Faults(task.on_bad_record, together=True) for split in selected}
    ids = {split: Ids(task) for split in selected}
    examples, broken = dict[Split, list[Example]](), None
    try:
        with tables_read_once():
            dealt = None if which is None else deal_folds(task, root, which)
            for split in selected:
                examples[split] = read_split(task, split, root, faults[split], ids[split], dealt)
    except DataError as error:
        broken = error
    refuse(faults.values(), broken)
    if task.folds is None:
        labels = label_set(task, examples.get(Split.TRAIN, []), faults.values())
        return Corpus(task, labels, examples, faults, ids, examples.get(Split.TEST, []))
    dealt_out = [split for split in Split if split in examples and split not in task.reader.files]
    everything = [example for split in (Split.TRAIN, *dealt_out) for example in examples[split]]
    tested = grouped(task, everything)
    examples[Split.TEST] = tested[len(tested) - len(examples[Split.TEST]) :]
    return Corpus(task, label_set(task, everything, faults.values()), examples, faults, ids, tested)


def _cut_by_words(counts: SplitCounts, examples: Sequence[Example], max_length: int) -> SplitCounts:
    cut = [example for example in examples if _words(example) > max_length]
    mentions = [mentions_beyond(e.tags, max_length) for e in examples if isinstance(e, Tokens)]
    return counts.model_copy(
        update={
            "max_length": max_length,
            "counted_in": "words",
            "cut": len(cut),
            "mentions_cut": sum(mentions) if mentions else None,
        }
    )


def mentions_beyond(tags: Sequence[str], limit: int) -> int:
    """Return how many mentions do not end within the first `limit` words."""
    cut = tags[limit:]
    return sum(tag.startswith("B-") for tag in cut) + (bool(cut) and cut[0].startswith("I-"))


def _words(example: Example) -> int:
    if isinstance(example, Tokens):
        return len(example.tokens)
    return len(example.text.split()) + len((example.second_text or "").split())
