"""What guessing gives on the test part: one answer to everything, from the classes of train."""

from __future__ import annotations

import math

import pytest

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import ConllReader, PubtatorReader, TableReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data.examples import Text, Tokens
from workers.guessing import guessing

FILES = dict.fromkeys(Split, ("x",))
READERS = {
    TaskKind.CLASSIFICATION: TableReader(format="csv", files=FILES, text="text", label="label"),
    TaskKind.NER: ConllReader(files=FILES),
    TaskKind.RELATION: PubtatorReader(files=FILES, entity_types=("A", "B"), relation="R"),
}


def task(kind: TaskKind) -> TaskSpec:
    return TaskSpec(
        name="t",
        title="T",
        kind=kind,
        domain="clinical",
        reader=READERS[kind],
        metric=MetricName.LOSS,
        negative_label="none" if kind is TaskKind.RELATION else None,
    )


def texts(*labels: str) -> list[Text]:
    return [Text("x", None, label, str(index)) for index, label in enumerate(labels)]


def test_it_names_the_commonest_class_of_train_for_everything():
    found = guessing(
        task(TaskKind.CLASSIFICATION),
        ("ill", "well"),
        texts(*["well"] * 7, "ill"),
        texts("well", "ill", "well"),
    )
    assert found[MetricName.ACCURACY] == found[MetricName.MICRO_F1] == pytest.approx(2 / 3)
    assert found[MetricName.MACRO_F1] == pytest.approx(0.8 / 2)
    assert found[MetricName.WEIGHTED_F1] == pytest.approx(0.8 * 2 / 3)
    assert found[MetricName.COHENS_KAPPA] == 0
    assert found[MetricName.MACRO_AUROC] == 0.5
    assert found[MetricName.LOSS] == pytest.approx(-(2 * math.log(0.8) + math.log(0.2)) / 3)


def test_it_finds_no_entity():
    sentences = [Tokens(("a", "b"), ("B-x", "O"), "1")]
    found = guessing(task(TaskKind.NER), ("O", "B-x", "I-x"), sentences, sentences)
    assert found[MetricName.ENTITY_F1] == found[MetricName.SUBWORD_F1] == 0
    assert MetricName.ENTITY_PRECISION not in found


@pytest.mark.parametrize(("most", "f1"), [("none", 0.0), ("treats", 2 / 3)])
def test_it_names_a_relation_only_where_most_pairs_have_it(most, f1):
    pairs = texts("none", "treats")
    found = guessing(task(TaskKind.RELATION), ("none", "treats"), [*pairs, *texts(most)], pairs)
    assert found[MetricName.POSITIVE_MICRO_F1] == pytest.approx(f1)
    assert found[MetricName.MICRO_F1_WITH_NEGATIVE] == pytest.approx(0.5)


def test_it_says_nothing_of_an_empty_part():
    assert guessing(task(TaskKind.CLASSIFICATION), ("a", "b"), texts("a"), []) == {}
