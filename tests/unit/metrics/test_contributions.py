"""What each document adds to a score: the sums give the score, and their spread is that of the score."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_builder import task
from scipy.stats import rankdata

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.vocabulary import TaskKind, Unit
from workers.contributions import ranks, scored_examples
from workers.data.examples import Text, Tokens
from workers.documents import number_documents
from workers.metrics import (
    mentions_of_subwords,
    mentions_of_words,
    score_mentions,
    score_sequences,
    score_subwords,
)
from workers.tasks import Encoded, decode_subwords, decode_tags

CLASSES = ("a", "b", "c")
TAGS = ("O", "B-x", "I-x", "B-y", "I-y")
FIGURES = {
    kind: [m for m, info in METRICS.items() if kind in info.kinds and m is not MetricName.LOSS]
    for kind in TaskKind
}


def classified(kind: TaskKind, gold: list[int], logits: np.ndarray, metric: MetricName, documents=None):
    names = documents or [str(index) for index in range(len(gold))]
    examples = [Text("secret words", None, CLASSES[g], name) for g, name in zip(gold, names, strict=True)]
    data = Encoded(input_ids=[[1]] * len(gold), labels=gold, token_type_ids=None, truncated=0)
    asked = task("t", kind).model_copy(update={"metric": metric})
    if kind is TaskKind.RELATION:
        asked = asked.model_copy(update={"negative_label": "b"})
    else:
        asked = asked.model_copy(update={"positive_label": "b"})
    found = scored_examples(asked, CLASSES, number_documents(examples), data, list(logits))
    scores = score_sequences(
        kind, CLASSES, asked.negative_label, np.array(gold), logits, positive_label=asked.positive_label
    )
    return found, scores[metric].value


@given(score=st.lists(st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 1.0]), min_size=1, max_size=30))
def test_ranks_are_those_of_scipy(score: list[float]) -> None:
    assert ranks(np.array(score)).tolist() == rankdata(score).tolist()


def ratio(found) -> float:
    return sum(found.numerator) / sum(found.denominator)


@st.composite
def answers(draw):
    n = draw(st.integers(1, 30))
    gold = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    flat = draw(st.lists(st.integers(-3, 3), min_size=3 * n, max_size=3 * n))  # few values: ties
    documents = draw(st.lists(st.sampled_from("pqrstu"), min_size=n, max_size=n))
    return gold, np.array(flat, dtype=np.float32).reshape(n, 3), documents


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.RELATION])
@given(found=answers())
def test_the_sums_over_documents_give_the_score_of_each_metric(kind, found):
    gold, logits, documents = found
    for metric in FIGURES[kind]:
        record, value = classified(kind, gold, logits, metric, documents)
        if record is None:
            assert value is None
            continue
        assert ratio(record) == pytest.approx(value, abs=2e-6)
        assert len(record.numerator) == len(set(documents))


@st.composite
def sentences(draw):
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))
    tags = [draw(st.lists(st.sampled_from(TAGS), min_size=n, max_size=n)) for n in sizes]
    answered = [draw(st.lists(st.integers(0, 4), min_size=n + 1, max_size=n + 1)) for n in sizes]
    return tags, answered


@pytest.mark.parametrize("repeated", [False, True])
@given(found=sentences())
def test_mentions_are_counted_by_document_and_the_sums_give_the_score(repeated, found):
    tags, answered = found
    ids = {tag: index for index, tag in enumerate(TAGS)}
    data = Encoded(
        input_ids=[[0] * (len(row) + 1) for row in tags],
        labels=[[ids[t] for t in row] + [-100] for row in tags],
        token_type_ids=None,
        truncated=0,
        tags=tags,
        places=[list(range(len(row))) for row in tags],
        repeated=repeated,
    )
    examples = [Tokens(("w",) * len(row), tuple(row), f"d{i // 2}") for i, row in enumerate(tags)]
    logits = [np.eye(5, dtype=np.float32)[row] for row in answered]
    of_words = mentions_of_words(tags, decode_tags(data, logits, TAGS))
    of_subwords = mentions_of_subwords(*decode_subwords(data, logits, TAGS))
    scores = score_mentions(of_words) | score_subwords(of_subwords)
    for metric in FIGURES[TaskKind.NER]:
        asked = task("t", TaskKind.NER).model_copy(update={"metric": metric})
        mentions = of_subwords if metric is MetricName.SUBWORD_F1 else of_words
        record = scored_examples(asked, TAGS, number_documents(examples), data, logits, mentions=mentions)
        if record is None:
            assert scores[metric].value is None
            continue
        assert ratio(record) == pytest.approx(scores[metric].value)
        assert len(record.numerator) == (len(tags) + 1) // 2


@pytest.fixture(scope="module")
def redrawn():
    """Gold and logits of a test set, and the scores of 400 others that are drawn from it."""
    rng = np.random.default_rng(7)
    n = 400
    gold = rng.choice(3, n, p=[0.6, 0.25, 0.15])
    logits = (1.2 * np.eye(3)[gold] + rng.normal(size=(n, 3))).astype(np.float32)
    scores = []
    for _ in range(400):
        drawn = rng.integers(0, n, n)
        test_set = gold[drawn], logits[drawn]
        scores.append(score_sequences(TaskKind.CLASSIFICATION, CLASSES, None, *test_set, positive_label="b"))
    return gold, logits, scores


@pytest.mark.parametrize("metric", FIGURES[TaskKind.CLASSIFICATION])
def test_the_spread_of_the_contributions_is_that_of_the_score_over_test_sets(metric, redrawn):
    """Against drawing the test set again and scoring it, which is what the numbers estimate."""
    gold, logits, scores = redrawn
    record, _ = classified(TaskKind.CLASSIFICATION, list(gold), logits, metric)
    spread = np.std([score[metric].value for score in scores])
    numerator, denominator = np.array(record.numerator), np.array(record.denominator)
    effects = (numerator - ratio(record) * denominator) / denominator.mean()
    assert np.std(effects) / np.sqrt(len(gold)) == pytest.approx(spread, rel=0.12)


def test_the_loss_stays_in_the_worker():
    record, _ = classified(TaskKind.CLASSIFICATION, [0, 1, 2], np.eye(3), MetricName.ACCURACY)
    assert record is not None
    examples = [Text("secret words", None, c, c) for c in CLASSES]
    data = Encoded(input_ids=[[1]] * 3, labels=[0, 1, 2], token_type_ids=None, truncated=0)
    asked = task("t").model_copy(update={"metric": MetricName.LOSS})
    assert scored_examples(asked, CLASSES, number_documents(examples), data, list(np.eye(3))) is None


def told(examples: list[Text]) -> ScoredExamples:
    """All of them answered with the first class."""
    gold = [CLASSES.index(example.label) for example in examples]
    data = Encoded(input_ids=[[1]] * len(gold), labels=gold, token_type_ids=None, truncated=0)
    asked = task("t").model_copy(update={"metric": MetricName.ACCURACY})
    record = scored_examples(asked, CLASSES, number_documents(examples), data, [np.eye(3)[0]] * len(gold))
    assert record is not None
    return record


def test_only_numbers_and_a_digest_leave_and_the_digest_is_that_of_the_whole_part():
    record, _ = classified(TaskKind.CLASSIFICATION, [0, 1, 2], np.eye(3), MetricName.MACRO_AUROC)
    head, _, numbers = record.to_bytes().partition(b"\n")
    expected = {"metric": "macro_auroc", "test_set": record.test_set, "documents": 3, "unit": "documents"}
    assert json.loads(head) == expected
    assert len(numbers) == 2 * 3 * 4
    one, other = Text("x", None, "a", "1"), Text("y", None, "b", "2")
    parts = [[one, other], [one], [dataclasses.replace(one, label="b"), other]]
    assert len({told(part).test_set for part in parts}) == 3
    assert told([other, one]).test_set == told([one, other]).test_set


def test_a_record_is_read_as_it_was_written_and_a_cut_one_is_refused():
    record, _ = classified(TaskKind.CLASSIFICATION, [0, 1, 2, 2], np.eye(4, 3), MetricName.MACRO_F1)
    content = record.to_bytes()
    assert ScoredExamples.from_bytes(content) == record
    for wrong in (content[:-1], content[: content.index(b"\n")], b"", content + b"1234"):
        with pytest.raises(ValueError, match=r"."):
            ScoredExamples.from_bytes(wrong)


def test_documents_stand_in_one_order_for_all_models_which_is_not_that_of_the_rows():
    gold = [0, 1] * 20

    def places_of(document: int, wrong: float) -> int:
        """Where the only document stands that is answered rightly."""
        logits = np.array([[g == 1, g == 0, wrong] for g in gold], dtype=np.float32)
        logits[document] = np.eye(3)[gold[document]]
        record, _ = classified(TaskKind.CLASSIFICATION, gold, logits, MetricName.ACCURACY)
        return list(record.numerator).index(1.0)

    order = [places_of(document, 0.0) for document in range(40)]
    assert sorted(order) == list(range(40))
    assert order == [places_of(document, 9.0) for document in range(40)]
    assert sum(place == row for row, place in enumerate(order)) < 10


def test_the_order_takes_the_whole_test_part_to_make():
    def order(texts: list[str]) -> tuple[int, ...]:
        data = Encoded(
            input_ids=[[1]] * len(texts), labels=[0] * len(texts), token_type_ids=None, truncated=0
        )
        found = []
        for right in range(len(texts)):
            examples = [Text(text, None, "a", str(index)) for index, text in enumerate(texts)]
            logits = [np.eye(3)[0 if index == right else 1] for index in range(len(texts))]
            asked = task("t").model_copy(update={"metric": MetricName.ACCURACY})
            found.append(
                list(
                    scored_examples(asked, CLASSES, number_documents(examples), data, logits).numerator
                ).index(1.0)
            )
        return tuple(found)

    texts = [f"text {index}" for index in range(12)]
    assert order(texts) == order(texts)
    assert order(texts) != order([*texts[:-1], "another"])


def test_documents_of_one_patient_are_summed_and_told_as_patients():
    examples = [
        Text("secret words", None, CLASSES[label], str(index), patient, unit)
        for index, (label, patient, unit) in enumerate(
            [(0, "p", Unit.PATIENT), (1, "p", Unit.PATIENT), (2, "q", Unit.PATIENT)]
        )
    ]
    data = Encoded(input_ids=[[1]] * 3, labels=[0, 1, 2], token_type_ids=None, truncated=0)
    asked = task("t", TaskKind.CLASSIFICATION).model_copy(update={"metric": MetricName.ACCURACY})
    record = scored_examples(asked, CLASSES, number_documents(examples), data, list(np.eye(3)))
    assert sorted(record.denominator) == [1, 2]
    assert ScoredExamples.from_bytes(record.to_bytes()).unit is Unit.PATIENT
    weaker = [*examples[:2], dataclasses.replace(examples[2], unit=Unit.SENTENCE)]
    assert (
        scored_examples(asked, CLASSES, number_documents(weaker), data, list(np.eye(3))).unit is Unit.SENTENCE
    )
