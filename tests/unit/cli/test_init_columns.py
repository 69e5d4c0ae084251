"""What `frontier init` guesses of columns, with its reason, and when it asks instead."""

from __future__ import annotations

import pytest

from orchestrator.cli.init import columns
from orchestrator.cli.init.columns import Answer, Question
from orchestrator.contracts.data_look import ColumnLook, DataLook
from orchestrator.contracts.vocabulary import TaskKind

ROWS = 300


def column(name: str, distinct: int, words: float = 1, **keys: object) -> ColumnLook:
    """A column of 300 rows; its values may be classes if there are at most 50 of them."""
    sizes = tuple([ROWS // distinct] * distinct) if distinct <= 50 else None
    given = {"sizes": sizes, "long_words": int(words)} | keys
    return ColumnLook(name=name, filled=ROWS, distinct=distinct, mean_words=words, **given)  # type: ignore[arg-type]


LETTER, URGENCY = column("letter", 300, 40), column("urgency", 3)


def look(*of_columns: ColumnLook) -> DataLook:
    return DataLook(format="csv", rows=ROWS, columns=of_columns)


def test_one_column_of_texts_one_of_classes_and_a_patient_are_guessed_with_reasons() -> None:
    data = look(column("patient_id", 150), LETTER, URGENCY, column("site", 2))
    assert columns.text_column(data) == Answer("letter", "the only column with texts (40 words on average)")
    label = columns.label_column(data, ["letter"])
    assert label == Answer("urgency", "the only column with classes: 3 values in 300 rows")
    identity = columns.id_column(data, ["letter", "urgency"])
    assert identity == Answer("patient_id", "from its name; 150 ids in 300 rows, kept together in one split")


def test_a_column_of_sites_is_a_hint_and_nothing_that_is_used() -> None:
    found = columns.site_column(look(LETTER, URGENCY, column("hospital_site", 2)), ["letter", "urgency"])
    assert found is not None
    assert found.value is None
    assert "hold_out: {by: hospital_site, values: {test: [VALUE]}, dev: 0.2}" in found.why
    assert columns.site_column(look(LETTER, URGENCY), []) is None


def test_texts_in_two_columns_are_a_question() -> None:
    found = columns.text_column(look(LETTER, column("reply", 290, 12), URGENCY))
    assert isinstance(found, Question)
    assert found.choices == ("letter", "reply")
    assert found.why == (
        "2 columns hold texts of 4 words or more on average; of pairs of texts, --second-text names the other"
    )
    assert found.others == ("urgency",)
    assert columns.text_column(look(LETTER, column("reply", 290, 12), URGENCY), "reply") == Answer(
        "letter", "the only column with texts (40 words on average)"
    )


def test_no_column_of_texts_is_a_question() -> None:
    assert isinstance(columns.text_column(look(URGENCY)), Question)


@pytest.mark.parametrize("name", ["code", "label"])
def test_a_label_column_with_900_values_is_a_question(name: str) -> None:
    code = ColumnLook(name=name, filled=1000, distinct=900, mean_words=1, long_words=1)
    found = columns.label_column(look(LETTER, code), ["letter"])
    assert isinstance(found, Question)
    assert f"'{name}' has 900 values in 1,000 rows" in found.why


def test_a_small_column_beside_one_with_900_values_is_not_taken_for_the_label() -> None:
    code = ColumnLook(name="code", filled=1000, distinct=900, mean_words=1, long_words=1)
    assert isinstance(columns.label_column(look(LETTER, code, column("sex", 2)), ["letter"]), Question)


def test_ids_that_look_like_labels_are_a_question_unless_their_name_says_so() -> None:
    found = columns.label_column(look(LETTER, column("group", 40), URGENCY), ["letter"])
    assert isinstance(found, Question)
    assert found.choices == ("group", "urgency")
    assert isinstance(columns.label_column(look(LETTER, column("pid", 40), URGENCY), ["letter"]), Answer)


def test_a_column_named_label_is_the_label_whatever_is_beside_it() -> None:
    found = columns.label_column(
        look(LETTER, column("ward_name", 9), column("sex", 2), column("label", 4)), []
    )
    assert found == Answer("label", "from its name; 4 values in 300 rows")


def test_values_that_repeat_as_ids_do_are_a_question_without_a_name() -> None:
    found = columns.id_column(look(LETTER, URGENCY, column("ref", 120)), ["letter", "urgency"])
    assert isinstance(found, Question)
    assert found.choices == ("ref", "none")


def test_two_columns_with_a_patients_name_are_a_question() -> None:
    data = look(LETTER, column("patient", 150), column("subject_id", 150))
    assert isinstance(columns.id_column(data, ["letter"]), Question)


def test_an_id_of_each_row_does_not_pass_for_a_patient() -> None:
    found = columns.id_column(look(LETTER, column("id", 300)), ["letter"])
    assert isinstance(found, Answer)
    assert "does not say which belong together" in found.why


def test_without_any_id_the_guess_says_what_then_stays_together() -> None:
    found = columns.id_column(look(LETTER, URGENCY), ["letter", "urgency"])
    assert isinstance(found, Answer)
    assert found.value is None
    assert "equal texts stay in one split" in found.why


def test_marked_pairs_with_a_class_none_are_relations_and_without_one_a_question() -> None:
    text = column("sentence", 300, 20, marked=0.97)
    relation = column("relation", 2, negative="none")
    found = columns.task_kind(look(text, relation), "sentence", "relation")
    assert found == Answer(TaskKind.RELATION, "97% of its texts mark two mentions, and one class is 'none'")
    assert isinstance(columns.task_kind(look(text, URGENCY), "sentence", "urgency"), Question)
    assert columns.negative_class(look(relation), "relation") == Answer("none", "from its name")
    assert isinstance(columns.negative_class(look(URGENCY), "urgency"), Question)


def test_long_deidentified_letters_are_not_taken_for_sentences_with_marked_pairs() -> None:
    text = column("letter", 300, 400, marked=1.0)
    found = columns.task_kind(look(text, column("triage", 2, negative="none")), "letter", "triage")
    assert isinstance(found, Answer)
    assert found.value == TaskKind.CLASSIFICATION
