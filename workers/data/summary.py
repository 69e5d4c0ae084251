"""What a task holds, in counts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.contracts.task import ArrowReader, ConllReader, PubtatorReader, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data.examples import Example, Tokens
from workers.data.faults import Faults
from workers.data.labels import check_known, label_set
from workers.data.pubtator import read_pubtator
from workers.data.splits import read_split, source_of, splits_of


def inspect_task(task: TaskSpec, root: Path) -> dict[str, Any]:
    """{metric, labels, splits: {split: {documents, examples, labels: {name: n}, mentions: {type: n},
    skipped: {fault: n}, set_aside: {reason: n}}}}, held-out splits included.

    `mentions` stands for ner tasks, and counts what the tags hold. `documents` are those that gave an
    example; None for CoNLL and for sentences in Arrow, which do not mark them. For PubTator tasks `mentions`
    counts those annotated in the files, `relations` the annotated relations of the type in question.
    `skipped` are malformed records, `set_aside` sound annotations that the examples cannot hold, or what the
    definition of the task leaves out. Raises what `read_split`, `label_set` and
    `check_known` raise, so that no text that was taken for labels is shown.
    """
    faults = {split: Faults(task.on_bad_record) for split in splits_of(task)}
    examples = {split: read_split(task, split, root, faults[split]) for split in faults}
    labels = label_set(task, examples.get(Split.TRAIN, []))
    for split, found in examples.items():
        check_known(task, labels, split, found)
    return {
        "metric": str(task.metric),
        "labels": list(labels),
        "splits": {
            str(split): _split(task, split, root, found)
            | {"skipped": dict(faults[split].kinds), "set_aside": dict(faults[split].set_aside)}
            for split, found in examples.items()
        },
    }


def _split(task: TaskSpec, split: Split, root: Path, examples: Sequence[Example]) -> dict[str, Any]:
    summary: dict[str, Any] = {"documents": None, "examples": len(examples), "labels": _labels(examples)}
    if isinstance(task.reader, PubtatorReader):
        return summary | _annotations(task, task.reader, split, root)
    if task.kind is TaskKind.NER:
        summary |= {"mentions": _begun(summary["labels"])}
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


def _annotations(task: TaskSpec, reader: PubtatorReader, split: Split, root: Path) -> dict[str, Any]:
    faults = Faults("skip")  # those of records were reported, or left out, when the examples were read
    names, wanted = source_of(task, split)
    documents = [document for name in names for document in read_pubtator(root / name, name, faults, wanted)]
    mentions = Counter(mention.type for document in documents for mention in document.mentions)
    found: dict[str, Any] = {
        "documents": len(documents),
        "mentions": {kind: mentions[kind] for kind in sorted(reader.entity_types)},
    }
    if reader.relation is not None:
        found["relations"] = sum(
            name == reader.relation for document in documents for name, _, _ in document.relations
        )
    return found
