"""Fewer training examples: nested, the same for everybody, whatever the classes are called."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from workers.data import Text, Tokens, cap_rows, class_counts

LABELS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)
SIZE = st.integers(1, 70)


def rows(labels: list[str]) -> list[Text]:
    return [Text(str(number), None, label, str(number)) for number, label in enumerate(labels)]


@given(LABELS, SIZE)
def test_each_class_gives_so_many_or_all_it_has(labels: list[str], size: int) -> None:
    chosen = cap_rows(rows(labels), None, size)
    assert class_counts(chosen) == {label: min(n, size) for label, n in Counter(labels).items()}
    assert chosen == [row for row in rows(labels) if row in set(chosen)]


@given(LABELS, SIZE, SIZE)
def test_the_rows_of_a_smaller_size_are_among_those_of_a_larger(
    labels: list[str], first: int, second: int
) -> None:
    small, large = (set(cap_rows(rows(labels), None, size)) for size in sorted((first, second)))
    assert small <= large
    small, large = (set(cap_rows(rows(labels), size)) for size in sorted((first, second)))
    assert small <= large


@given(LABELS, SIZE, st.permutations("abcd"))
def test_the_names_of_the_classes_do_not_matter(labels: list[str], size: int, names: list[str]) -> None:
    renamed = [names["abcd".index(label)] for label in labels]
    for rows_, per_class in ((None, size), (size, None)):
        before = [row.text for row in cap_rows(rows(labels), rows_, per_class) if isinstance(row, Text)]
        after = [row.text for row in cap_rows(rows(renamed), rows_, per_class) if isinstance(row, Text)]
        assert before == after


def test_the_choice_is_no_run_of_the_first_rows() -> None:
    chosen = [int(row.document) for row in cap_rows(rows(["a", "b"] * 500), None, 20)]
    assert len(chosen) == 40
    assert max(chosen) > 800


def test_sentences_are_of_no_one_class() -> None:
    with pytest.raises(ConfigError, match="train_rows_per_class"):
        cap_rows([Tokens(("a",), ("O",), "1")], None, 4)


def test_mentions_of_each_type_are_counted() -> None:
    sentences = [Tokens(("a", "b", "c"), ("B-x", "I-x", "B-x"), "1"), Tokens(("d",), ("B-y",), "2")]
    assert class_counts(sentences) == {"x": 2, "y": 1}
