"""What `init` and `task inspect` say of guessing, by class sizes: the figure that trials record."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ledger_builder import task

from orchestrator.cli.catalogue.guessing import guessing_of
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.data.examples import MultilabelText, Text
from workers.guessing import guessing

LABELS = ("a", "b", "c")
classes = st.lists(st.sampled_from(LABELS), min_size=1, max_size=12)
label_sets = st.lists(st.sets(st.sampled_from(LABELS)), min_size=1, max_size=12)


def of_kind(kind: TaskKind, metric: MetricName) -> TaskSpec:
    return task("outcome").model_copy(update={"kind": kind, "metric": metric})


def sizes_of(labels: Counter[str], examples: int) -> dict[str, object]:
    return {"labels": dict(labels), "examples": examples}


@pytest.mark.parametrize(
    "metric", [MetricName.MACRO_F1, MetricName.MICRO_F1, MetricName.WEIGHTED_F1, MetricName.ACCURACY]
)
@given(train=classes, test=classes)
def test_one_class_for_all_texts(metric: MetricName, train: list[str], test: list[str]) -> None:
    spec = of_kind(TaskKind.CLASSIFICATION, metric)
    splits = {"train": sizes_of(Counter(train), len(train)), "test": sizes_of(Counter(test), len(test))}
    read = [[Text("x", None, label, str(n)) for n, label in enumerate(split)] for split in (train, test)]
    recorded = guessing(spec, LABELS, *read)
    assert guessing_of(spec, {"labels": LABELS, "splits": splits}) == pytest.approx(recorded[metric])


@pytest.mark.parametrize("metric", [MetricName.MACRO_F1, MetricName.MICRO_F1])
@given(train=label_sets, test=label_sets)
def test_the_same_labels_for_all_texts(
    metric: MetricName, train: list[set[str]], test: list[set[str]]
) -> None:
    spec = of_kind(TaskKind.MULTILABEL, metric)
    counted = [Counter(label for labels in split for label in labels) for split in (train, test)]
    assume(all(counted))
    splits = {"train": sizes_of(counted[0], len(train)), "test": sizes_of(counted[1], len(test))}
    read = [
        [MultilabelText("x", None, "", str(n), labels=tuple(sorted(given))) for n, given in enumerate(split)]
        for split in (train, test)
    ]
    recorded = guessing(spec, LABELS, *read)
    assert guessing_of(spec, {"labels": LABELS, "splits": splits}) == pytest.approx(recorded[metric])
