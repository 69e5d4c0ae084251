"""Cut a discharge summary down to what it says about the time of admission (van Aken et al. 2021)."""

from __future__ import annotations

import re
from typing import NamedTuple


class _Section(NamedTuple):
    title: str  # as written
    header: re.Pattern[str]  # as searched


SECTIONS = tuple(
    _Section(title, re.compile(header + r"\s*:", re.IGNORECASE))
    for title, header in (
        ("CHIEF COMPLAINT", "chief complaint"),
        ("PRESENT ILLNESS", "present illness"),
        ("MEDICAL HISTORY", "medical history"),
        ("MEDICATION ON ADMISSION", "medications? on admission"),
        ("ALLERGIES", "allergies"),
        ("PHYSICAL EXAM", "physical exam(?:ination)?"),
        ("FAMILY HISTORY", "family history"),
        ("SOCIAL HISTORY", "social history"),
    )
)
_NEEDED = 3  # one of the first three must have text
# A blank line and the header of the next section: words and a colon on one line.
_NEXT = re.compile(r"\n[^\S\n]*\n[^\n\d.|()\\]+?:")

_DIED = r"(?:died|expired|deceased|passed\s+away)"
_CLAUSE = re.compile(
    rf"\b(?:patient|pt)\b\.?\s+(?:(?:has|had|is|was|then|later|subsequently)\s+){{0,2}}{_DIED}\b",
    re.IGNORECASE,
)
_MERE_WORD = re.compile(rf"(?:^|(?<=[.;:,]))\s*{_DIED}(?=\s*(?:[.;,]|$))", re.IGNORECASE)
_NOT_TOLD = ("PHYSICAL EXAM", "MEDICATION ON ADMISSION")  # sections that only state the death


def cut_sections(note: str) -> list[str] | None:
    """Return the texts of `SECTIONS`, each on one line and empty if absent; None for a note that has none of
    the first three.

    A section runs from its first header to the next blank line with a header below it, or to the end.
    """
    note = note.replace("\r\n", "\n")
    texts = [_section(note, section.header) for section in SECTIONS]
    return texts if any(texts[:_NEEDED]) else None


def _section(note: str, header: re.Pattern[str]) -> str:
    begin = header.search(note)
    if begin is None:
        return ""
    # The header may be followed by a blank line and the next header: then there is no text.
    end = _NEXT.search(note, begin.end())
    lines = note[begin.end() : end.start() if end else len(note)].split("\n")
    return " ".join(line for line in map(str.strip, lines) if line)


def hide_death(texts: list[str]) -> list[str] | None:
    """Return the sections without statements that the patient died; None if such a statement is in a section
    that describes the death at length.

    A statement is "patient" (or "pt") with "died", "expired", "deceased" or "passed away". In the physical
    exam and the medication it is taken out, as is a single such word between full stops. Relatives who
    died stay.
    """
    hidden = []
    for section, text in zip(SECTIONS, texts, strict=True):
        if section.title in _NOT_TOLD:
            hidden.append(_MERE_WORD.sub("", _CLAUSE.sub("", text)).strip())
        elif _CLAUSE.search(text):
            return None
        else:
            hidden.append(text)
    return hidden


def render_sections(texts: list[str]) -> str:
    return "\n\n".join(f"{section.title}: {text}" for section, text in zip(SECTIONS, texts, strict=True))
