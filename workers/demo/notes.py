"""Generate invented admission notes: problems, tests, treatments, negation, relations and an outcome.

The same arguments give the same notes in every process and on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.demo import phrases
from workers.demo.lexicon import ENTITIES, EVERY_ENTITY, PEOPLE, PLACES, Entity, EntityType

OUTCOMES = tuple(phrases.OUTCOMES)
_NOISE = 0.06  # share of notes whose outcome does not depend on their text
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_TYPES: dict[str, EntityType] = {
    "p": "problem",
    "q": "problem",
    "t": "test",
    "r": "treatment",
    "s": "treatment",
}


@dataclass(frozen=True)
class Piece:
    """One or two words: an entity, or a word of the template."""

    text: str
    entity: Entity | None


@dataclass(frozen=True)
class Sentence:
    pieces: tuple[Piece, ...]
    related: tuple[tuple[Entity, Entity], ...]  # (treatment, problem it was given for)

    @property
    def text(self) -> str:
        """Return the text as written: no space before a punctuation mark."""
        return "".join(
            p.text if p.text in ".,:" or not i else f" {p.text}" for i, p in enumerate(self.pieces)
        )


@dataclass(frozen=True)
class Note:
    sentences: tuple[Sentence, ...]
    outcome: str
    ending: Sentence  # states the outcome; only part of the pre-training text


def notes(count: int, source: random.Random, *, held_out: bool, brief: bool = False) -> Iterator[Note]:
    """Yield `count` notes; only with `held_out` may they use entities that training parts never contain.

    Brief notes leave out treatments and history, which do not affect the outcome.
    """
    for _ in range(count):
        yield _Writer(source, held_out, brief).note()


class _Writer:
    """Write one note. No entity occurs twice in it, so that the note never contradicts itself about a
    name."""

    def __init__(self, source: random.Random, held_out: bool, brief: bool) -> None:
        self._source = source
        self._held_out = held_out
        self._brief = brief
        self._used: set[str] = set()
        self._woman = source.random() < 0.5

    def note(self) -> Note:
        source, pick = self._source, self._source.choice
        opening = self._sentence(pick(phrases.ADMISSION))
        findings = source.random() < 0.5
        tested = self._sentence(pick(phrases.FINDINGS if findings else phrases.NO_FINDINGS))
        course = pick(tuple(phrases.COURSES))
        courses = [self._sentence(template) for template in source.sample(phrases.COURSES[course], 2)]
        middle = [tested, courses[0]]
        if not self._brief:
            middle += [self._relation() for _ in range(1 + (source.random() < 0.3))]
            if source.random() < 0.3:
                middle.append(self._sentence(pick(phrases.HISTORY)))
        if source.random() < 0.5:
            middle.append(self._sentence(pick(phrases.UNTOLD)))
        source.shuffle(middle)
        severe = any(p.entity.severe for s in (opening, tested)[: 1 + findings] for p in s.pieces if p.entity)
        outcome = self._outcome(course, severe)
        return Note((opening, *middle, courses[1]), outcome, self._sentence(pick(phrases.OUTCOMES[outcome])))

    def _outcome(self, course: str, severe: bool) -> str:
        if self._source.random() < _NOISE:
            return self._source.choice(OUTCOMES)
        match course:
            case "elsewhere":
                return "transfer"
            case "worse":
                return "intensive-care"
            case "better" if not severe:
                return "home"
            case _:
                return "ward"

    def _relation(self) -> Sentence:
        roll = self._source.random()
        if roll < 0.1:
            template, pairs = self._source.choice(phrases.UNCLEAR)
            return self._sentence(template, pairs if self._source.random() < 0.5 else ())
        return self._sentence(*self._source.choice(phrases.RELATED if roll < 0.55 else phrases.UNRELATED))

    def _sentence(self, template: str, pairs: phrases.Pairs = ()) -> Sentence:
        pieces: list[Piece] = []
        filled: dict[str, Entity] = {}
        for word in template.split():
            slot = word[1:-1] if word.startswith("{") else ""
            entity = self._entity(slot)
            if entity is not None:
                filled[slot] = entity
                pieces.append(Piece(entity.name, entity))
            else:
                text = self._word(slot) if slot else word
                pieces.append(Piece(text[0].upper() + text[1:] if not pieces else text, None))
        return Sentence(tuple(pieces), tuple((filled[r], filled[p]) for r, p in pairs))

    def _entity(self, slot: str) -> Entity | None:
        pool: Sequence[Entity]
        if slot in _TYPES:
            pool = ENTITIES[_TYPES[slot]]
        elif slot == "x" and self._source.random() < 0.75:
            pool = EVERY_ENTITY
        else:
            return None
        fresh = [e for e in pool if e.identifier not in self._used and (self._held_out or not e.held_out)]
        chosen = self._source.choice(fresh)
        self._used.add(chosen.identifier)
        return chosen

    def _word(self, slot: str) -> str:
        pick = self._source.choice
        match slot:
            case "age":
                return str(self._source.randint(19, 94))
            case "number":
                return str(self._source.randint(2, 12))
            case "he":
                return "she" if self._woman else "he"
            case "him":
                return "her" if self._woman else "him"
            case "man":
                return "woman" if self._woman else "man"
            case "day":
                return pick(_DAYS)
            case "place":
                return pick(PLACES)
            case "doctor":
                return f"Dr {pick(PEOPLE)}"
            case "x":
                return pick(PEOPLE)
            case _:
                raise ValueError(f"no such slot: {slot}")
