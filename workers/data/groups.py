"""Group rows without an id by what they share: the sentence of a pair, or the first of two texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.contracts.readers import ArrowReader, TableReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind, Unit
from workers.data.examples import Example, Text
from workers.data.masked import sentence_ids


def grouped(task: TaskSpec, examples: Sequence[Example]) -> list[Example]:
    """Return the examples of test, the only split that is scored by document. If their reader has no id, they
    are grouped by what shows that they belong together: for relations the sentence of a pair, for two texts
    the first one (the hypotheses of a premise answer together). Any other row is taken as independent."""
    if not isinstance(task.reader, ArrowReader | TableReader) or task.reader.id is not None:
        return list(examples)
    texts = [example for example in examples if isinstance(example, Text)]
    if len(texts) < len(examples):
        return [replace(example, unit=Unit.SENTENCE) for example in examples]
    if task.kind is TaskKind.RELATION:
        return _together(texts, sentence_ids([text.text for text in texts]), Unit.SENTENCE)
    if task.reader.second_text is not None:
        return _together(texts, [text.text for text in texts], Unit.TEXT)
    return [replace(text, unit=Unit.TEXT) for text in texts]


def _together(texts: Sequence[Text], groups: Iterable[str], unit: Unit) -> list[Example]:
    return [replace(text, group=group, unit=unit) for text, group in zip(texts, groups, strict=True)]
