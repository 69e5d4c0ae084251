"""Labelled examples, as the readers return them. They hold patient text: never log, print or store them.

`document` names the document of an example, unique within a split. `group` is the larger unit whose examples
depend on each other, such as the patient; `unit` says what the document or group is.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.contracts.vocabulary import Unit


@dataclass(frozen=True, repr=False)
class Tokens:
    """A sentence of one or more words with one BIO tag each."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    document: str
    group: str | None = None
    unit: Unit = Unit.DOCUMENT


@dataclass(frozen=True, repr=False)
class Text:
    """A text, or a pair of texts, with one label."""

    text: str
    second_text: str | None
    label: str
    document: str
    group: str | None = None
    unit: Unit = Unit.DOCUMENT


@dataclass(frozen=True, repr=False)
class MultilabelText(Text):
    """A text, or a pair of texts, with any number of labels; the inherited single `label` is empty."""

    labels: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class RegressionText(Text):
    """A text, or a pair of texts, with a number; the inherited `label` is empty."""

    value: float = 0.0


Example = Tokens | Text


def labels_of(example: Example) -> list[str]:
    """Return the label of a text, the labels of a multilabel one, or the entity type of each mention. A
    number is no label."""
    if isinstance(example, RegressionText):
        return []
    if isinstance(example, MultilabelText):
        return list(example.labels)
    if isinstance(example, Text):
        return [example.label]
    return [tag[2:] for tag in example.tags if tag.startswith("B-")]


def characters(example: Example) -> int:
    """Return the number of characters that a tokenizer has to read."""
    if isinstance(example, Text):
        return len(example.text) + len(example.second_text or "")
    return sum(len(token) + 1 for token in example.tokens)
