"""Write invented notes in the layouts of i2b2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, pairwise
from xml.sax.saxutils import quoteattr

from orchestrator.contracts.readers import I2b2XmlReader
from orchestrator.contracts.task import TaskSpec
from workers.demo.lexicon import ENTITIES, Entity
from workers.demo.notes import Note, Sentence

File = tuple[str, str, bytes]  # entry of `files`, path in it ("" where the entry is the file), content
Numbered = Sequence[tuple[int, Note]]  # the number is the id of record and patient

_TREATMENT_RELATIONS = ("TrAP", "TrIP", "TrWP", "TrCP", "TrNAP")
_TEST_RELATIONS = ("TeRP", "TeCP")


class Naming:
    """Assign the labels of a task to invented entities: the label with the name of the type, and in turn
    those that match no type. An entity keeps its label."""

    def __init__(self, labels: Sequence[str] | None) -> None:
        kinds = list(ENTITIES)
        by_type = {kind: [label for label in labels or kinds if label.casefold() == kind] for kind in kinds}
        unmatched = [label for label in labels or () if label.casefold() not in kinds]
        for index, label in enumerate(unmatched):
            by_type[kinds[index % len(kinds)]].append(label)
        self._turns = {kind: cycle(names) for kind, names in by_type.items() if names}
        self._known: dict[str, str] = {}

    def label(self, entity: Entity) -> str | None:
        """Return the label of an entity; None if its type has no label."""
        if entity.type not in self._turns:
            return None
        if entity.identifier not in self._known:
            self._known[entity.identifier] = next(self._turns[entity.type])
        return self._known[entity.identifier]


def concept_files(task: TaskSpec, names: Sequence[str], numbered: Numbered, separate: bool) -> Iterator[File]:
    """Yield the files of i2b2 2010. `separate` puts texts into the first entry and their gold into the
    second, as in its test part; otherwise every entry holds texts and gold of both hospitals."""
    turns = _relation_turns(task.labels)
    for index, (number, note) in enumerate(numbered):
        text, concepts, relations = _concept_record(note, turns)
        if separate:
            gold = names[-1]
            yield names[0], f"{number}.txt", text
            yield gold, f"concepts/{number}.con", concepts
            yield gold, f"rel/{number}.rel", relations
        else:
            entry, site = names[index % len(names)], ("beth", "partners")[index // len(names) % 2]
            yield entry, f"{site}/txt/{number}.txt", text
            yield entry, f"{site}/concept/{number}.con", concepts
            yield entry, f"{site}/rel/{number}.rel", relations


Turns = dict[tuple[str, str], Iterator[str | None]]


def _relation_turns(labels: Sequence[str] | None) -> Turns:
    """Return the relations that pairs of types get one after the other. None means no relation."""

    def labelled(*relations: str) -> list[str | None]:
        return [relation for relation in relations if labels is None or relation in labels]

    return {
        ("treatment", "problem"): cycle(labelled(*_TREATMENT_RELATIONS) or [None]),
        ("test", "problem"): cycle([*labelled(*_TEST_RELATIONS), None]),
        ("problem", "problem"): cycle([*labelled("PIP"), None]),
    }


def _concept_record(note: Note, turns: Turns) -> tuple[bytes, bytes, bytes]:
    texts, concepts, relations = [], [], []
    for line, sentence in enumerate(note.sentences, start=1):
        words: list[str] = []
        annotations: dict[str, str] = {}
        for piece in sentence.pieces:
            first = len(words)
            words.extend(piece.text.split())
            if piece.entity is not None:
                annotation = f'c="{piece.text.lower()}" {line}:{first} {line}:{len(words) - 1}'
                annotations[piece.entity.identifier] = annotation
                concepts.append(f'{annotation}||t="{piece.entity.type}"')
        texts.append(" ".join(words))
        for left, right, relation in _related(sentence, turns):
            relations.append(
                f'{annotations[left.identifier]}||r="{relation}"||{annotations[right.identifier]}'
            )
    return _content(texts), _content(concepts), _content(relations)


def _related(sentence: Sentence, turns: Turns) -> Iterator[tuple[Entity, Entity, str]]:
    """Yield what a sentence says about a treatment; tests and further problems get the next relation in
    turn."""
    for treatment, problem in sentence.related:
        relation = next(turns["treatment", "problem"])
        if relation is not None:
            yield treatment, problem, relation
    entities = [piece.entity for piece in sentence.pieces if piece.entity is not None]
    problems = [entity for entity in entities if entity.type == "problem"]
    tested = [(entity, problems[0]) for entity in entities if entity.type == "test" and problems]
    for first, second in [*tested, *pairwise(problems)]:
        relation = next(turns[first.type, second.type])
        if relation is not None:
            yield first, second, relation


def _content(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def xml_files(
    reader: I2b2XmlReader, names: Sequence[str], numbered: Numbered, label: Callable[[Entity], str | None]
) -> Iterator[File]:
    """Yield the files of i2b2 2012 and 2014, one per note."""
    for index, (number, note) in enumerate(numbered):
        name = f"{number}.xml" if reader.patient_before is None else f"{number}{reader.patient_before}01.xml"
        yield names[index % len(names)], name, _xml_record(reader, note, label)


def _xml_record(reader: I2b2XmlReader, note: Note, label: Callable[[Entity], str | None]) -> bytes:
    text = "\n"
    tags: list[str] = []
    for sentence in note.sentences:
        for index, piece in enumerate(sentence.pieces):
            spaced = reader.tokenised or piece.text not in ".,:"
            text += " " if index and spaced else ""
            kind = label(piece.entity) if piece.entity is not None else None
            if kind is not None:
                values = {
                    "id": f"T{len(tags)}",
                    "start": str(len(text)),
                    "end": str(len(text) + len(piece.text)),
                    "text": piece.text,
                    reader.attribute: kind,
                }
                attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in values.items())
                tags.append(f"<{reader.element or 'PHI'} {attributes} />")
            text += piece.text
        text += "\n"
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8" ?>',
            f"<invented>\n<TEXT><![CDATA[{text}]]></TEXT>",
            "<TAGS>",
            *tags,
            "</TAGS>\n</invented>\n",
        ]
    ).encode()
