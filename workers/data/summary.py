"""What a task holds, in counts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.contracts.task import ArrowReader, ConllReader, I2b2ConceptReader, PubtatorReader, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data.examples import Example, Tokens
from workers.data.faults import Faults
from workers.data.labels import check_known, check_spellings, class_counts, label_set
from workers.data.splits import read_split, splits_of


def inspect_task(task: TaskSpec, root: Path) -> dict[str, Any]:
    """{metric, labels, splits: {split: {documents, examples, labels: {name: n}, mentions: {type: n},
    skipped: {fault: n}, set_aside: {reason: n}}}}, held-out splits included.

    All counts are of what the examples hold. `mentions` are counted for ner tasks, `relations` for relation
    tasks of readers that read relations between mentions. `documents` are those that gave an example; None
    for CoNLL and for sentences in Arrow, which do not mark them. `skipped` are malformed records,
    `set_aside` sound annotations that the examples cannot hold, or what the definition of the task leaves
    out. Raises what `read_split`, `label_set`, `check_spellings` and `check_known` raise, so that no text
    that was taken for labels is shown.
    """
    faults = {split: Faults(task.on_bad_record) for split in splits_of(task)}
    examples = {split: read_split(task, split, root, faults[split]) for split in faults}
    labels = label_set(task, examples.get(Split.TRAIN, []))
    check_spellings(task, labels, faults.values())
    for split, found in examples.items():
        check_known(task, labels, split, found)
    return {
        "metric": str(task.metric),
        "labels": list(labels),
        "splits": {
            str(split): _split(task, found, faults[split])
            | {"skipped": dict(faults[split].kinds), "set_aside": dict(faults[split].set_aside)}
            for split, found in examples.items()
        },
    }


def _split(task: TaskSpec, examples: Sequence[Example], faults: Faults) -> dict[str, Any]:
    summary: dict[str, Any] = {"documents": None, "examples": len(examples), "labels": _labels(examples)}
    if task.kind is TaskKind.NER:
        types = task.reader.entity_types if isinstance(task.reader, PubtatorReader) else ()
        summary |= {"mentions": dict.fromkeys(sorted(types), 0) | class_counts(examples)}
    if task.kind is TaskKind.RELATION and isinstance(task.reader, PubtatorReader | I2b2ConceptReader):
        summary |= {"relations": faults.relations}
    if isinstance(task.reader, ConllReader) or (
        task.kind is TaskKind.NER and isinstance(task.reader, ArrowReader)
    ):
        return summary
    return summary | {"documents": len({example.document for example in examples})}


def _labels(examples: Sequence[Example]) -> dict[str, int]:
    """Examples by label; for ner words by tag."""
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(example.tags if isinstance(example, Tokens) else [example.label])
    return dict(sorted(counts.items()))


def _begun(tags: dict[str, int]) -> dict[str, int]:
    return {tag[2:]: count for tag, count in tags.items() if tag.startswith("B-")}
