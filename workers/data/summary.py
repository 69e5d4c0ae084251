"""Summarise a task in counts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from orchestrator.contracts.caveats import caveats
from orchestrator.contracts.fold import folds_of
from orchestrator.contracts.readers import ArrowReader, ConllReader, I2b2ConceptReader, PubtatorReader
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data.copies import repeated_texts
from workers.data.corpus import Corpus, read_corpus
from workers.data.examples import Example, RegressionText, Tokens, labels_of
from workers.data.faults import Faults
from workers.data.folds import FoldOfSeed
from workers.data.labels import check_known, class_counts, doubt_about_labels
from workers.data.near import check_parted
from workers.data.scorable import check_scorable, check_separate


def inspect_task(task: TaskSpec, root: Path) -> dict[str, Any]:
    """{metric, labels, splits: {split: {documents, examples, labels: {name: n}, mentions: {type: n},
    skipped: {fault: n}, set_aside: {reason: n}, groups: {value: n}, counts}}, caveats, unscorable}, held-out
    splits included.

    All counts cover what the examples hold. `mentions` are counted for ner tasks, `relations` for relation
    tasks of readers that read relations between mentions, `unlabelled` examples for multilabel tasks,
    `mean` and `deviation` of the number for regression tasks.
    `documents` are those that gave an example; None
    for CoNLL and for sentences in Arrow, which do not mark them. `skipped` counts malformed records;
    `set_aside` counts sound annotations that the examples cannot hold, or that the definition of the task
    leaves out. `counts` is a SplitCounts, with cuts in words; `caveats` are the sentences about it;
    `unscorable` is the reason why a score would be meaningless, or None. `repeated` counts the examples of a
    split whose text is that of an earlier one; `units` are what test draws independently, [number, noun]:
    with `folds` what all of them test, while the splits are those of the first fold of seed 0.
    Raises what `read_corpus` and `check_known` raise, so that no text that was mistaken for labels is shown.
    """
    return inspect_corpus(read_corpus(task, root), root)


def inspect_corpus(corpus: Corpus, root: Path) -> dict[str, Any]:
    """Return the answer of `inspect_task` for a corpus that has been read below `root`. Raises the same."""
    answer, task = _inspect_one(corpus), corpus.task
    for fold in folds_of(task.folds)[1:]:
        assert fold is not None
        other = read_corpus(task, root, which=FoldOfSeed(fold, 0))
        answer["unscorable"] = answer["unscorable"] or _unscorable(other, other.counts())
    return answer


def _inspect_one(corpus: Corpus) -> dict[str, Any]:
    task = corpus.task
    for split, examples in corpus.splits.items():
        check_known(task, corpus.labels, split, examples)
    counts = corpus.counts_by_words(task.max_length)[task.max_length]
    return {
        "metric": str(task.metric),
        "labels": list(corpus.labels),
        "splits": {
            str(split): _split(task, examples, corpus.faults[split])
            | {"skipped": counts[split].skipped, "set_aside": counts[split].set_aside}
            | {"counts": counts[split].model_dump(exclude={"skipped", "set_aside"})}
            | {"repeated": repeated_texts(examples)}
            | _groups(corpus, split)
            for split, examples in corpus.splits.items()
        },
        "caveats": caveats(task, {split: [part] for split, part in counts.items()}),
        "unscorable": _unscorable(corpus, counts),
        "units": _units(corpus.tested),
        "folds": task.folds,
    }


def _groups(corpus: Corpus, split: Split) -> dict[str, dict[str, int]]:
    """Return the rows by value of the column `by` of hold_out. Values that look like ids stay here."""
    groups = Counter[str]()
    for part in corpus.ids.values():
        groups.update(part.groups)
    if not groups or (len(groups) > 1 and doubt_about_labels(groups)):
        return {}
    return {"groups": {name: corpus.ids[split].groups[name] for name in sorted(groups)}}


def _units(test: Sequence[Example]) -> tuple[int, str] | None:
    """Return how many patients, documents, sentences or texts of test are taken as independent."""
    if not test:
        return None
    return len({example.group or example.document for example in test}), str(test[0].unit)


def _unscorable(corpus: Corpus, counts: Mapping[Split, SplitCounts]) -> dict[str, str] | None:
    """Return the problem that `check_separate`, `check_parted` or `check_scorable` would raise, else None."""
    try:
        check_separate(corpus.task, counts)
        check_parted(corpus.task, counts)
        check_scorable(corpus.task, corpus.labels, corpus.splits)
    except DataError as error:
        return {"problem": error.fault, "fix": error.fix}
    return None


def _split(task: TaskSpec, examples: Sequence[Example], faults: Faults) -> dict[str, Any]:
    summary: dict[str, Any] = {"documents": None, "examples": len(examples), "labels": _labels(examples)}
    if task.kind is TaskKind.NER:
        types = task.reader.entity_types if isinstance(task.reader, PubtatorReader) else ()
        summary |= {"mentions": dict.fromkeys(sorted(types), 0) | class_counts(examples)}
    if task.kind is TaskKind.REGRESSION:
        values = [example.value for example in examples if isinstance(example, RegressionText)]
        summary |= {"mean": fmean(values), "deviation": pstdev(values)} if values else {}
    if task.kind is TaskKind.MULTILABEL:
        summary |= {"unlabelled": sum(not labels_of(example) for example in examples)}
    if task.kind is TaskKind.RELATION and isinstance(task.reader, PubtatorReader | I2b2ConceptReader):
        summary |= {"relations": faults.relations}
    if isinstance(task.reader, ConllReader) or (
        task.kind is TaskKind.NER and isinstance(task.reader, ArrowReader) and task.reader.id is None
    ):
        return summary
    return summary | {"documents": len({example.document for example in examples})}


def _labels(examples: Sequence[Example]) -> dict[str, int]:
    """Count the examples by label; for ner count the words by tag."""
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(example.tags if isinstance(example, Tokens) else labels_of(example))
    return dict(sorted(counts.items()))
