"""What guessing gives on test, by class sizes alone: the figures of `workers.guessing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.cli.worker_calls import WorkerAnswer
from orchestrator.contracts.guessing import ONE_CLASS, one_class_score
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind

Sizes = Mapping[str, int]  # examples of each class or label of the task


def guessing_of(spec: TaskSpec, answer: WorkerAnswer) -> float | None:
    """Return the score of one answer to all of test, chosen on train. None for metrics that sizes do not
    give, and for empty splits."""
    train, test = (answer["splits"].get(split, {}) for split in (Split.TRAIN, Split.TEST))
    if not train.get("labels") or not test.get("labels") or spec.kind is TaskKind.NER:
        return None
    sizes, on_test = ({name: s["labels"].get(name, 0) for name in answer["labels"]} for s in (train, test))
    if spec.kind in ONE_CLASS:
        commonest = max(sizes, key=sizes.__getitem__)
        return one_class_score(spec.metric, commonest, on_test)
    score = {MetricName.MICRO_F1: _micro, MetricName.MACRO_F1: _macro}.get(spec.metric)
    if spec.kind is not TaskKind.MULTILABEL or score is None:
        return None
    given = _best_labels(score, sizes, train["examples"])
    return score(given, on_test, test["examples"])


def _best_labels(score: Callable[[list[str], Sizes, int], float], sizes: Sizes, examples: int) -> list[str]:
    """Return the labels above the threshold that scores best on train: the highest of equals."""
    thresholds = sorted(set(sizes.values()), reverse=True)
    sets = [[name for name in sizes if sizes[name] >= least] for least in thresholds]
    return max(sets, key=lambda given: score(given, sizes, examples))


def _micro(given: list[str], sizes: Sizes, examples: int) -> float:
    right = sum(sizes[name] for name in given)
    return 2 * right / (len(given) * examples + sum(sizes.values()))


def _macro(given: list[str], sizes: Sizes, examples: int) -> float:
    occurring = {*given, *(name for name, size in sizes.items() if size)}
    return sum(2 * sizes[name] / (examples + sizes[name]) for name in given) / len(occurring)
