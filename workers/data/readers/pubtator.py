"""Read PubTator: title, abstract, mention lines and relation lines of one document after another.

    PMID|t|title
    PMID|a|abstract
    PMID <tab> start <tab> end <tab> mention <tab> type [<tab> id[|id...] [<tab> parts of a composite]]
    PMID <tab> relation <tab> id <tab> id [<tab> whether it is novel, as BioRED has it]

Offsets count characters of title + one space + abstract, the end exclusive. The id -1 means none; several in
one field are separated by `|`, `;` or `,`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.sameness import id_key
from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.files import lines, read_text
from workers.data.holdout import Selector

_HEAD = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_OFFSET = re.compile(r"[0-9]{1,9}")
_NO_ID = {"-1", "-", ""}
_NOVELTY = {"novel", "no", ""}  # BioRED's fifth field of a relation
_VARIANT = re.compile(r"[cgmnpr]\|[A-Z]+\|.*")  # an id that holds separators itself: c|SUB|G|1|A

Ids = tuple[str, ...]  # of one field: the field itself, then the ids between its separators


@dataclass(frozen=True, repr=False)
class Mention:
    start: int
    end: int
    type: str
    ids: frozenset[str]  # several for a composite mention, none if the annotators found none


@dataclass(frozen=True, repr=False)
class Relation:
    line: int
    name: str
    ends: tuple[Ids, Ids]


@dataclass(frozen=True, repr=False)
class Abstract:
    name: str  # from the file and the number in it; not the id, which may be a patient's
    text: str
    mentions: tuple[Mention, ...]  # by start, the longer one first
    relations: tuple[Relation, ...]


def read_pubtator(path: Path, name: str, faults: Faults, selected: Selector) -> Iterator[Abstract]:
    """Yield the selected documents of one file in order; `name` begins their names.

    Raises DataError at the first malformed line if `faults` does; otherwise leaves its document out.
    """
    for number, block in enumerate(_blocks(lines(read_text(path))), start=1):
        if not selected(id_key(block[0][1].partition("|")[0])):
            continue
        document = _read(str(path), f"{name}#{number}", block)
        if isinstance(document, DataError):
            faults.found(document)
        else:
            for kind in (*(m.type for m in document.mentions), *(r.name for r in document.relations)):
                faults.spelt(kind, str(path), block[0][0])
            yield document


def _read(file: str, name: str, block: list[tuple[int, str]]) -> Abstract | DataError:
    try:
        return _document(file, name, block)
    except DataError as error:
        return error


def _blocks(content: list[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield runs of numbered lines between blank lines."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*content, ""], start=1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []


def _document(file: str, name: str, block: list[tuple[int, str]]) -> Abstract:
    names, parts = [], []
    for kind, (number, line) in zip("ta", (block + block[-1:])[:2], strict=True):
        head = _HEAD.fullmatch(line)
        if head is None or head[2] != kind:
            raise DataError(
                file,
                number,
                "a document that does not begin with its ID|t|title and ID|a|abstract lines",
                "write these two lines first, and a blank line only between documents",
            )
        names.append(head[1])
        parts.append(head[3])
    text = " ".join(parts)
    mentions: list[Mention] = []
    relations: list[Relation] = []
    for number, line in block[2:]:
        fields = line.split("\t")
        if {fields[0], *names} != {names[0]}:
            raise DataError(
                file,
                number,
                "another document id than in the title line",
                "separate documents by a blank line",
            )
        if _is_relation(fields):
            relations.append(Relation(number, fields[1].strip(), (_ids(fields[2]), _ids(fields[3]))))
        else:
            mentions.append(_mention(file, number, fields, text))
    mentions.sort(key=lambda mention: (mention.start, -mention.end))
    return Abstract(name, text, tuple(mentions), tuple(relations))


def _is_relation(fields: list[str]) -> bool:
    """Return whether the second of 4 or 5 fields is a name and not where a mention starts."""
    if len(fields) == 5 and fields[4].strip().casefold() not in _NOVELTY:
        return False
    return len(fields) in (4, 5) and not _OFFSET.fullmatch(fields[1])


def _ids(field: str) -> Ids:
    spelling = id_key(field)
    parts = [
        id_key(part)
        for group in re.split("[;,]", spelling)
        for part in ([group] if _VARIANT.fullmatch(group.strip()) else group.split("|"))
    ]
    ids = tuple(part for part in parts if part not in _NO_ID)
    return ids if ids in ((), (spelling,)) else (spelling, *ids)


def _mention(file: str, line: int, fields: list[str], text: str) -> Mention:
    if not 5 <= len(fields) <= 7:
        raise DataError(
            file,
            line,
            f"{len(fields)} tab-separated fields",
            "a mention line has 5 to 7 of them, a relation line has 4, or 5 that end in Novel or No",
        )
    if len(fields) == 5 and not _OFFSET.fullmatch(fields[1]):
        raise DataError(
            file,
            line,
            "a line of 5 fields that is neither a mention nor a relation",
            "write a mention's offsets in the second and third, and Novel or No in the fifth of a relation",
        )
    if not (_OFFSET.fullmatch(fields[1]) and _OFFSET.fullmatch(fields[2])):
        raise DataError(file, line, "an offset is not a whole number", "give start and end in characters")
    start, end = int(fields[1]), int(fields[2])
    if not 0 <= start < end <= len(text) or text[start:end] != fields[3]:
        raise DataError(
            file,
            line,
            "the mention is not at its offsets",
            "count characters of title + one space + abstract from 0, the end exclusive",
        )
    kind = fields[4].strip()
    if not kind:
        raise DataError(file, line, "the type of the mention is empty", "name it in the fifth field")
    if not fields[3].strip():
        raise DataError(file, line, "the mention holds no word", "remove the line, or correct its offsets")
    return Mention(start, end, kind, frozenset(_ids(fields[5]) if len(fields) > 5 else ()))
