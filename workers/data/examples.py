"""What the readers give: one labelled example. Both hold patient text: never log, print or store them.

`document` is the one that an example comes from, unique within a split. `group` is what it shares its luck
with where that is more than the document, say the patient; `unit` says what document or group are.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.contracts.vocabulary import Unit


@dataclass(frozen=True, repr=False)
class Tokens:
    """A sentence of words with one BIO tag each; the two are of equal length, at least one."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    document: str
    group: str | None = None
    unit: Unit = Unit.DOCUMENT


@dataclass(frozen=True, repr=False)
class Text:
    """A text, or a pair of them, with one label."""

    text: str
    second_text: str | None
    label: str
    document: str
    group: str | None = None
    unit: Unit = Unit.DOCUMENT


Example = Tokens | Text


def labels_of(example: Example) -> list[str]:
    """The label of a text, or the entity type of each mention."""
    if isinstance(example, Text):
        return [example.label]
    return [tag[2:] for tag in example.tags if tag.startswith("B-")]


def characters(example: Example) -> int:
    """Return how many a tokenizer has to read."""
    if isinstance(example, Text):
        return len(example.text) + len(example.second_text or "")
    return sum(len(token) + 1 for token in example.tokens)
