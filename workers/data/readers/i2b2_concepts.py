"""Read records of i2b2/VA 2010 as sentences with concepts.

    .txt   one sentence a line, words apart by spaces
    .con   c="text" L:T L:T||t="problem"
    .rel   c="text" L:T L:T||r="TrAP"||c="text" L:T L:T

Lines count from 1, tokens from 0, the last one is included. The texts of concepts are in lower case and may
hold quotation marks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.contracts.sameness import spelling_fix
from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.files import lines
from workers.data.readers.corpus_files import Member
from workers.data.readers.i2b2_records import RecordFiles
from workers.data.spans import WordSpan, joined_lines

TYPES = ("problem", "test", "treatment")
_PLACE = r"([0-9]{1,6}):([0-9]{1,6}) ([0-9]{1,6}):([0-9]{1,6})"
# Greedy: a text may hold any character, so its end is found from the right.
_CONCEPT = re.compile(rf'c="(.*)"\s+{_PLACE}\|\|t="([^"|]*)"\s*')
_LONGEST = 10_000  # characters; longer lines are not annotations
_MOST_LINES = 4  # that one concept covers; a few in the corpus cover two

Place = tuple[int, int, int, int]  # first line, its token, last line, its token (included)


@dataclass(frozen=True, repr=False)
class Concept:
    span: WordSpan  # in the words of its sentence
    place: Place  # as the annotation writes it


@dataclass(frozen=True, repr=False)
class NoteSentence:
    words: tuple[str, ...]  # at least one
    concepts: tuple[Concept, ...]  # by position, without duplicates


class _Line:
    """The words of a line, and the three ways in which annotators numbered them.

    They differ only if a line begins with a space or has two in a row: the space before the first word counts
    as a token, every extra space does, or none.
    """

    def __init__(self, line: str) -> None:
        self.words = line.split()
        plain: list[int | None] = list(range(len(self.words)))
        self.numberings = (plain, plain, plain)
        pieces = re.split(r"\s", line)
        if "" in pieces:
            counted = iter(range(len(self.words)))
            gaps = [next(counted) if piece else None for piece in pieces]
            self.numberings = ([*[None] * line[:1].isspace(), *plain], gaps, plain)


@dataclass(frozen=True, repr=False)
class _Placed:
    """A concept with its words: lines and words count from 0, and the last ones are included."""

    start: tuple[int, int]
    end: tuple[int, int]
    type: str


def read_sentences(record: RecordFiles, types: Sequence[str], faults: Faults) -> list[NoteSentence]:
    """Return the sentences of one record. Lines that share a concept become one sentence, so that it stays
    whole.

    A concept that is malformed, not found at its position, or of a type outside `types` is a problem; a
    repeated one is set aside.
    """
    text = record.text.text()
    if text is None:
        faults.found(DataError(record.text.place, None, "it is not UTF-8 text", "convert the file to UTF-8"))
        return []
    content = [_Line(line) for line in lines(text)]
    placed: dict[_Placed, Place] = {}
    for concept, position in _concepts(content, record.gold[".con"], types, faults):
        if concept in placed:
            faults.set_aside["repeated"] += 1
        else:
            placed[concept] = position
    begun: dict[int, list[_Placed]] = defaultdict(list)
    for concept in sorted(placed, key=lambda concept: (concept.start, concept.end, concept.type)):
        begun[concept.start[0]].append(concept)
    sentences = []
    for first, end in joined_lines(len(content), [(p.start[0], p.end[0]) for p in placed]):
        words: list[str] = []
        before: dict[int, int] = {}
        for line in range(first, end):
            before[line] = len(words)
            words.extend(content[line].words)
        concepts = [
            Concept(
                WordSpan(before[p.start[0]] + p.start[1], before[p.end[0]] + p.end[1] + 1, p.type), placed[p]
            )
            for line in range(first, end)
            for p in begun[line]
        ]
        if words:
            sentences.append(NoteSentence(tuple(words), tuple(concepts)))
    return sentences


def annotation_lines(file: Member, faults: Faults) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a .con or .rel file that are not blank."""
    text = file.text()
    if text is None:
        faults.found(DataError(file.place, None, "it is not UTF-8 text", "convert the file to UTF-8"))
        return
    for number, line in enumerate(lines(text), start=1):
        if line.strip():
            yield number, line if len(line) <= _LONGEST else ""  # keeps every match fast


def _concepts(
    content: Sequence[_Line], file: Member, types: Sequence[str], faults: Faults
) -> Iterator[tuple[_Placed, Place]]:
    for number, line in annotation_lines(file, faults):
        match = _CONCEPT.fullmatch(line)
        if match is None:
            fix = 'write c="text" L:T L:T||t="type"'
            faults.found(DataError(file.place, number, "the line is no concept", fix))
            continue
        first_line, first_token, last_line, last_token = map(int, match.group(2, 3, 4, 5))
        position = first_line, first_token, last_line, last_token
        span = _find(content, position, match[1].split())
        if span is None:
            fix = "count lines from 1 and tokens from 0, the last one included"
            faults.found(DataError(file.place, number, "the concept is not at its position", fix))
        elif match[6] not in types:
            problem = "a type of concept that the task does not know"
            fix = spelling_fix(match[6], types, f"use one of {', '.join(types)}")
            faults.found(DataError(file.place, number, problem, fix))
        else:
            yield _Placed(*span, match[6]), position


def _find(
    content: Sequence[_Line], position: Place, words: Sequence[str]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the position of the words, ignoring case, by the first numbering that fits; None if none
    does."""
    first_line, last_line = position[0] - 1, position[2] - 1
    if not (words and 0 <= first_line <= last_line < min(len(content), first_line + _MOST_LINES)):
        return None
    run = content[first_line : last_line + 1]
    for numbering in range(3):
        starts, ends = run[0].numberings[numbering], run[-1].numberings[numbering]
        if position[1] >= len(starts) or position[3] >= len(ends):
            continue
        first, last = starts[position[1]], ends[position[3]]
        if first is None or last is None:
            continue
        if sum(len(line.words) for line in run[:-1]) - first + last + 1 != len(words):
            continue
        if len(run) == 1:
            actual = run[0].words[first : last + 1]
        else:
            middle = [word for line in run[1:-1] for word in line.words]
            actual = [*run[0].words[first:], *middle, *run[-1].words[: last + 1]]
        if _folded(actual) == _folded(words):
            return (first_line, first), (last_line, last)
    return None


def _folded(words: Sequence[str]) -> str:
    return " ".join(words).casefold()
