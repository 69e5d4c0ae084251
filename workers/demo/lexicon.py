"""Invented names of problems, tests and treatments, and of people and places. None of them is real.

Half of the clinical names end in a telling way (`-itis`, `-gram`, `-olol`), the others do not: what those
are, only text that uses them can teach. A third of each type is held out of the training parts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

EntityType = Literal["problem", "test", "treatment"]

_ONSETS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "s",
    "t",
    "tr",
    "v",
    "z",
)
_VOWELS = "aeiou"
_MIDDLES = "bdfgklmnprstvz"
_CODAS = "lmnr"
_NEUTRAL = ["an", "or", "in", "el", "ux", "ay", "ob", "une"]
_TELLING: dict[EntityType, list[str]] = {
    "problem": ["itis", "osis", "emia", "algia", "oma", "pathy"],
    "test": ["gram", "scopy", "metry", "graphy", "assay"],
    "treatment": ["olol", "pril", "statin", "cillin", "zole", "ectomy"],
}
_BEFORE: dict[EntityType, list[str]] = {
    "problem": ["acute", "chronic", "severe", "mild", "left", "right"],
    "test": ["serum", "repeat", "urgent"],
    "treatment": ["oral", "topical", "nightly"],
}
_AFTER: dict[EntityType, list[str]] = {
    "problem": ["attack"],
    "test": ["level", "panel"],
    "treatment": ["infusion", "tablets"],
}
_SIZES: dict[EntityType, int] = {"problem": 90, "test": 60, "treatment": 75}


@dataclass(frozen=True)
class Entity:
    """An invented name. `held_out`: never in a training part. `severe`: counts towards a bad outcome
    (problems only)."""

    name: str  # one or two words, lower case
    type: EntityType
    identifier: str
    held_out: bool
    severe: bool


def _heads(source: random.Random) -> Iterator[str]:
    """Yield word stems without repetition."""
    seen: set[str] = set()
    while True:
        pools = _ONSETS, _VOWELS, _MIDDLES, _VOWELS, _CODAS
        stem = "".join(source.choice(pool) for pool in pools)
        if stem not in seen:
            seen.add(stem)
            yield stem


def _surface(source: random.Random, stem: str, kind: EntityType) -> str:
    head = stem + source.choice(_TELLING[kind] if source.random() < 0.5 else _NEUTRAL)
    roll = source.random()
    if roll < 0.25:
        return f"{source.choice(_BEFORE[kind])} {head}"
    return f"{head} {source.choice(_AFTER[kind])}" if roll < 0.4 else head


def _invent() -> tuple[dict[EntityType, tuple[Entity, ...]], tuple[str, ...], tuple[str, ...]]:
    source = random.Random("the invented lexicon, first edition")
    stems = _heads(source)
    entities: dict[EntityType, tuple[Entity, ...]] = {}
    for kind, size in _SIZES.items():
        entities[kind] = tuple(
            Entity(
                name=_surface(source, next(stems), kind),
                type=kind,
                identifier=f"INVENTED-{kind}-{number:03d}",
                held_out=number % 3 == 2,
                severe=kind == "problem" and source.random() < 0.4,
            )
            for number in range(size)
        )
    people = tuple((next(stems) + source.choice(_NEUTRAL)).capitalize() for _ in range(40))
    places = tuple((next(stems) + source.choice(["ton", "vale", "wick"])).capitalize() for _ in range(20))
    return entities, people, places


ENTITIES, PEOPLE, PLACES = _invent()
EVERY_ENTITY = tuple(entity for entities in ENTITIES.values() for entity in entities)
