"""Sections of discharge summaries, cut from anything that may stand in a note."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.data.readers.mimic_sections import cut_sections, hide_death, render_sections

LONG = 200_000


@pytest.mark.parametrize("blank", [" ", "\t ", "\r", "\u00a0", " \n", "\n", "\x0b", ". "])
@pytest.mark.parametrize("place", ["Chief Complaint: a{}cough", "Chief Complaint{}: cough", "{}"])
def test_a_note_of_blanks_takes_no_longer_than_its_length(blank: str, place: str) -> None:
    """Cutting that goes on with the square of the length would take an hour here."""
    note = place.format(blank * (LONG // len(blank))) + "\n\nPatient" + " " * LONG + "Medical History: none"
    texts = cut_sections(note)
    assert texts is None or hide_death(texts) is None or render_sections(texts)


def test_line_breaks_with_what_is_blank_around_them_become_one_space() -> None:
    texts = cut_sections("Chief Complaint:  a  b \n \t\n\n c\r\nd\u2028\n  e \n")
    assert texts is not None
    assert texts[0] == "a  b c d e"


NOTES = st.text(alphabet="a: \n\t\r\u00a0\x1c.", max_size=60)


@given(
    st.lists(NOTES | st.sampled_from(["Chief Complaint", "patient", "expired", "allergies", "\n\n"])).map(
        "".join
    )
)
@example("chief complaint:\x1c\n\x1fa")
def test_any_text_is_cut_as_the_pattern_for_line_breaks_would_cut_it(note: str) -> None:
    """That pattern, `\\s*\\n\\s*`, says what is meant; it only takes too long."""
    texts = cut_sections("Chief Complaint: x" + note)
    assert texts is not None
    assert all(re.sub(r"\s*\n\s*", " ", text.strip()) == text for text in texts)
    assert not any("\n" in text for text in texts)
    hidden = hide_death(texts)
    assert hidden is None or len(hidden) == len(texts)
