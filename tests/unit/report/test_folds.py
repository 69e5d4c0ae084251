"""The folds of a seed make one score, as if all answers were of one model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ledger_builder import Fate, LedgerBuilder, task
from sklearn.metrics import cohen_kappa_score, f1_score, precision_recall_fscore_support

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.ledger import AttemptRecord
from orchestrator.contracts.metrics import MetricName, MetricValue
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.contracts.readers import HoldOut
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import (
    FailureKind,
    FailureRule,
    Signature,
    Split,
    TaskKind,
    TrialState,
    Unit,
)
from orchestrator.report import build_report
from orchestrator.report.analysis.holdings import holdings_of
from orchestrator.report.results.folds import SeedFolds
from orchestrator.report.results.point import Point
from orchestrator.report.statistics import bootstrap, posterior
from orchestrator.report.statistics.paired import difference, of_cell
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.tracking.price_terms import Terms
from workers.contributions import scored_examples
from workers.data.examples import Text
from workers.documents import number_documents
from workers.metrics import class_answers, mention_answers, mentions_of_words, score_sequences
from workers.tasks import Encoded

LABELS = ("a", "b", "c")
SEEDS, FOLDS, ROWS = (11, 12), 3, 90
GUESS = {MetricName.MACRO_F1: 0.2, MetricName.ACCURACY: 0.5}


def with_folds(
    metric: MetricName = MetricName.MACRO_F1, kind: TaskKind = TaskKind.CLASSIFICATION, **fields: object
) -> TaskSpec:
    letters = task("letters", kind, invented=False)
    held_out = {"files": {Split.TRAIN: ("letters.csv",)}, "hold_out": HoldOut(dev=0.2, folds=FOLDS)}
    reader = letters.reader.model_copy(update=held_out)
    return letters.model_copy(update={"reader": reader, "metric": metric, **fields})


class World:
    """Letters with a class, and the answers of a model to each of them under each seed."""

    def __init__(self, seed: int = 5) -> None:
        random = np.random.default_rng(seed)
        self.gold = random.choice(3, size=ROWS, p=[0.6, 0.3, 0.1])
        self.examples = [
            Text(f"letter {n}", None, LABELS[label], f"letters.csv#{n}") for n, label in enumerate(self.gold)
        ]
        self.folds, self.logits = {}, {}
        for trained in SEEDS:
            self.folds[trained] = random.permutation(ROWS) % FOLDS
            noise = random.standard_normal((ROWS, 3))
            self.logits[trained] = noise + 1.5 * np.eye(3)[self.gold]

    def fate(self, spec: TaskSpec, trial: PlannedTrial) -> tuple[Fate, ScoredExamples | None]:
        assert trial.fold is not None
        tested = self.folds[trial.seed] == trial.fold.number - 1
        gold, logits = self.gold[tested], self.logits[trial.seed][tested]
        examples = [example for example, of in zip(self.examples, tested, strict=True) if of]
        scores = score_sequences(
            spec.kind, LABELS, spec.negative_label, gold, logits, positive_label=spec.positive_label
        )
        encoded = Encoded([[0]] * len(gold), gold.tolist(), None, 0)
        told = scored_examples(spec, LABELS, number_documents(examples, self.examples), encoded, list(logits))
        is_class = np.arange(3)
        given = logits.argmax(axis=1)[:, None] == is_class
        outcome = {
            "test": scores,
            "test_classes": class_answers(LABELS, gold[:, None] == is_class, given),
            "rows": {"train": 50, "dev": 10, "test": int(tested.sum())},
            "guessing": GUESS,
        }
        value = scores[spec.metric].value
        assert value is not None
        return Fate(quality=value, seconds=100.0 * trial.fold.number, outcome=outcome), told

    def answers(self, seed: int) -> np.ndarray:
        return self.logits[seed].argmax(axis=1)


class Swept:
    """A sweep of one cell, all of whose folds are finished but for those that `fates` names."""

    def __init__(
        self,
        path: Path,
        spec: TaskSpec,
        fates: dict[tuple[int, int], Fate | None] | None = None,
        rule: FailureRule = FailureRule.COUNT,
    ) -> None:
        self.world, self.built = World(), LedgerBuilder(path)
        told: dict[str, ScoredExamples | None] = {}
        trials = self.built.plan(["tiny"], ["general"], ["full"], [spec], SEEDS)
        assert self.built.sweep is not None
        self.built.ledger.write_sweep(self.built.sweep.model_copy(update={"failures": rule}))
        for trial in trials:
            assert trial.fold is not None
            fate, examples = self.world.fate(spec, trial)
            asked = (fates or {}).get((trial.seed, trial.fold.number), fate)
            if asked is not None:
                directory = self.built.attempt(trial, asked)
                told[str(directory)] = examples if asked is fate else None

        self.told = told
        self.report = build_report(
            self.built.ledger.sweep(), self.built.ledger.trials(), examples_of=self.examples_of
        )

    def examples_of(self, attempt: AttemptRecord) -> ScoredExamples | None:
        return self.told[attempt.directory]

    @property
    def point(self) -> Point:
        [point] = self.report.tasks[0].points
        return point


POOLED = {
    MetricName.MACRO_F1: lambda gold, given: f1_score(gold, given, average="macro"),
    MetricName.WEIGHTED_F1: lambda gold, given: f1_score(gold, given, average="weighted"),
    MetricName.COHENS_KAPPA: cohen_kappa_score,
    MetricName.ACCURACY: lambda gold, given: float((gold == given).mean()),
}


@pytest.mark.parametrize("metric", POOLED)
def test_the_score_of_a_seed_is_that_of_the_answers_of_all_folds(tmp_path: Path, metric: MetricName) -> None:
    swept = Swept(tmp_path, with_folds(metric))
    expected = [POOLED[metric](swept.world.gold, swept.world.answers(seed)) for seed in SEEDS]
    assert swept.point.quality is not None
    assert swept.point.quality.mean == pytest.approx(np.mean(expected), abs=1e-6)
    assert (swept.point.seeds, swept.point.planned_seeds, swept.point.folds) == (2, 2, 3)
    for other, pooled in POOLED.items():  # beside the quality, too
        found = [pooled(swept.world.gold, swept.world.answers(seed)) for seed in SEEDS]
        assert swept.point.metrics[other].mean == pytest.approx(np.mean(found), abs=1e-6)


POSITIVE = (
    MetricName.POSITIVE_MICRO_PRECISION,
    MetricName.POSITIVE_MICRO_RECALL,
    MetricName.POSITIVE_MICRO_F1,
)
ONE_CLASS = (MetricName.CLASS_PRECISION, MetricName.CLASS_RECALL, MetricName.CLASS_F1)


@pytest.mark.parametrize(
    ("spec", "names", "counted"),
    [
        (with_folds(ONE_CLASS[2], positive_label="c"), ONE_CLASS, [2]),
        (with_folds(ONE_CLASS[1], positive_label="b"), ONE_CLASS, [1]),
        (with_folds(POSITIVE[2], kind=TaskKind.RELATION, negative_label="a"), POSITIVE, [1, 2]),
    ],
)
def test_precision_recall_and_f1_are_of_the_same_answers(
    tmp_path: Path, spec: TaskSpec, names: tuple[MetricName, ...], counted: list[int]
) -> None:
    swept = Swept(tmp_path, spec)
    gold, score = swept.world.gold, precision_recall_fscore_support
    of_seeds = [score(gold, swept.world.answers(seed), labels=counted, average="micro")[:3] for seed in SEEDS]
    found = [swept.point.metrics[name].mean for name in names]
    assert found == pytest.approx(np.mean(of_seeds, axis=0).tolist(), abs=1e-6)
    assert swept.point.quality is not None
    assert swept.point.quality.mean == pytest.approx(found[names.index(spec.metric)], abs=1e-6)


def test_several_labels_of_all_folds_make_one_micro_f1(tmp_path: Path) -> None:
    spec = with_folds(MetricName.MICRO_F1, kind=TaskKind.MULTILABEL)
    answers = (
        {"a": ClassAnswers(right=8, given=9, examples=10)},
        {"b": ClassAnswers(right=1, given=6, examples=2)},
    )
    metrics = pooled_of(tmp_path, spec, [MetricName.MICRO_F1], answers)
    assert metrics == {MetricName.MICRO_F1: pytest.approx(2 * 9 / (15 + 12))}


def test_mentions_of_all_folds_make_one_precision_recall_and_f1(tmp_path: Path) -> None:
    names = [MetricName.ENTITY_PRECISION, MetricName.ENTITY_RECALL, MetricName.ENTITY_F1]
    spec = with_folds(MetricName.ENTITY_F1, kind=TaskKind.NER)
    answers = (
        {"Drug": ClassAnswers(right=270, given=300, examples=300)},
        {"Drug": ClassAnswers(right=12, given=20, examples=60)},
    )
    metrics = pooled_of(tmp_path, spec, [*names, MetricName.SUBWORD_F1], answers)
    expected = 282 / 320, 282 / 360, 2 * 282 / 680
    assert metrics == {name: pytest.approx(score) for name, score in zip(names, expected, strict=True)}


def pooled_of(
    path: Path, spec: TaskSpec, names: list[MetricName], answers: tuple[dict[str, ClassAnswers], ...]
) -> dict[MetricName, float]:
    """The metrics of a seed of which each fold scored one half; no document is told of."""
    hold_out = HoldOut(dev=0.2, folds=len(answers))
    spec = spec.model_copy(update={"reader": spec.reader.model_copy(update={"hold_out": hold_out})})
    built = LedgerBuilder(path)
    for trial in built.plan(["tiny"], ["general"], ["full"], [spec], [11]):
        assert trial.fold is not None
        of_fold = answers[trial.fold.number - 1]
        outcome = {
            "test": {name: MetricValue(value=0.5) for name in names},
            "rows": {"train": 50, "dev": 10, "test": 30},
            "test_classes": {"a": ClassAnswers(right=0, given=0, examples=0), **of_fold},
        }
        built.attempt(trial, Fate(quality=0.5, outcome=outcome))
    [point] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks[0].points
    return {name: summary.mean for name, summary in point.metrics.items()}


def test_what_if_reads_the_scores_of_the_report(tmp_path: Path) -> None:
    swept = Swept(tmp_path, with_folds(MetricName.CLASS_F1, positive_label="c"))
    ledger = swept.built.ledger
    terms = Terms(prices="none", currency="EUR", as_of="2026-01", price_source="invented")
    [holding] = holdings_of(ledger.sweep(), ledger.trials(), terms, swept.examples_of)
    assert swept.point.quality is not None
    assert holding.quality == pytest.approx(swept.point.quality.mean, abs=1e-9)


@pytest.mark.parametrize(
    ("folds", "state"),
    [
        ("FAILED FINISHED NEW", "UNFINISHED"),
        ("FAILED FINISHED", "UNFINISHED"),  # the third has no record
        ("FAILED UNFINISHED STALE", "UNFINISHED"),
        ("FAILED FINISHED STALE", "STALE"),
        ("FAILED FINISHED FINISHED", "FAILED"),
        ("FAILED FAILED FAILED", "FAILED"),
        ("NEW NEW NEW", "NEW"),
    ],
)
def test_a_seed_has_ended_once_all_its_folds_have(folds: str, state: str) -> None:
    seed = SeedFolds(3)
    seed.states += [TrialState[name] for name in folds.split()]
    assert seed.outcome().state is TrialState[state]


def test_an_area_is_the_mean_of_the_folds(tmp_path: Path) -> None:
    spec = with_folds(MetricName.MACRO_AUROC)
    swept = Swept(tmp_path, spec)
    areas = []
    for trial in swept.built.ledger.sweep().trials:
        fate, _ = swept.world.fate(spec, trial)
        areas.append((fate.quality, fate.outcome["rows"]["test"]))
    values, rows = zip(*areas, strict=True)
    assert swept.point.quality is not None
    assert swept.point.quality.mean == pytest.approx(np.average(values, weights=rows), abs=1e-6)


def test_the_interval_is_over_all_documents(tmp_path: Path) -> None:
    point = Swept(tmp_path, with_folds()).point
    assert point.simultaneous is not None
    assert point.simultaneous.over == f"2 seeds and {ROWS} documents"


def test_a_cost_is_that_of_one_training_and_the_bill_that_of_all(tmp_path: Path) -> None:
    swept = Swept(tmp_path, with_folds())
    assert swept.point.device_hours is not None
    assert swept.point.device_hours.mean == pytest.approx(0.9 * 200 / 3600)  # of 100, 200 and 300 seconds
    [spent] = swept.report.totals.spending
    assert spent.billed == pytest.approx(2 * 600)


def test_a_seed_with_a_missing_fold_has_no_score(tmp_path: Path) -> None:
    lost = Fate(failure=FailureKind.PREEMPTED)
    whole = Swept(tmp_path / "whole", with_folds()).world
    swept = Swept(tmp_path / "part", with_folds(), {(11, 2): None, (12, 1): lost})
    assert swept.point.quality is None
    assert swept.point.state == "failed"
    assert "2 of 6 folds missing, so 2 of 2 seeds have no score" in str(swept.point.reason)
    assert "1 of 6 folds failed (PREEMPTED)" in str(swept.point.reason)
    one = Swept(tmp_path / "one", with_folds(), {(11, 2): None}).point
    assert one.quality is not None
    assert one.quality.mean == pytest.approx(
        f1_score(whole.gold, whole.answers(12), average="macro"), abs=1e-6
    )
    assert "1 of 6 folds missing, so 1 of 2 seeds have no score" in str(one.reason)


@pytest.mark.parametrize("stopped", [True, False])
def test_a_fold_that_collapsed_adds_what_guessing_gives(tmp_path: Path, stopped: bool) -> None:
    rows = {"train": 50, "dev": 10, "test": 30}
    outcome = {"guessing": GUESS, "rows": rows, "signature": None if stopped else Signature.COLLAPSED}
    fate = Fate(failure=FailureKind.COLLAPSED, outcome=outcome)
    if not stopped:
        fate = Fate(quality=0.21, outcome=outcome)
    counted = Swept(tmp_path / "a", with_folds(), {(11, 1): fate}).point
    left_out = Swept(tmp_path / "b", with_folds(), {(11, 1): fate}, FailureRule.LEAVE_OUT).point
    world = World()
    others = world.folds[11] != 0
    worked = f1_score(world.gold[others], world.answers(11)[others], average="macro")
    other = f1_score(world.gold, world.answers(12), average="macro")
    assert counted.quality is not None
    assert counted.quality.mean == pytest.approx((2 / 3 * worked + 1 / 3 * 0.2 + other) / 2, abs=1e-6)
    assert counted.failed == {FailureKind.COLLAPSED: 1}
    assert "1 of 6 folds collapsed" in str(counted.reason)
    assert left_out.quality is not None
    assert left_out.quality.mean == pytest.approx(other, abs=1e-6)


def test_folds_of_different_set_ups_make_no_score(tmp_path: Path) -> None:
    fate, _ = World().fate(with_folds(), LedgerBuilder(tmp_path / "x").plan(tasks=[with_folds()])[0])
    other = replace(fate, software={"torch": "2.14.0"})
    point = Swept(tmp_path, with_folds(), {(11, 1): other}).point
    assert "1 of 2 seeds have no score: their folds ran on different set-ups" in str(point.reason)


def test_errors_are_pooled_as_squares(tmp_path: Path) -> None:
    spec = with_folds().model_copy(
        update={"kind": TaskKind.REGRESSION, "metric": MetricName.RMSE, "unit": "days"}
    )
    built = LedgerBuilder(tmp_path)
    errors, rows = (1.0, 2.0, 4.0), (10, 20, 30)
    for trial in built.plan(["tiny"], ["general"], ["full"], [spec], [11]):
        assert trial.fold is not None
        error, tested = errors[trial.fold.number - 1], rows[trial.fold.number - 1]
        scores = {MetricName.RMSE: MetricValue(value=error), MetricName.MAE: MetricValue(value=error / 2)}
        outcome = {"test": scores, "rows": {"train": 50, "dev": 10, "test": tested}}
        built.attempt(trial, Fate(quality=error, outcome=outcome))
    [point] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks[0].points
    assert point.quality is not None
    assert -point.quality.mean == pytest.approx(np.sqrt(np.average(np.square(errors), weights=rows)))
    assert point.metrics[MetricName.MAE].mean == pytest.approx(np.average(errors, weights=rows) / 2)


def test_an_interval_over_folds_allows_for_training_parts_that_overlap() -> None:
    random = np.random.default_rng(2)
    parts = random.random((3, 80)) + random.standard_normal((3, 1)) / 20
    cell = Replicates("one", (1, 2, 3), parts.mean(axis=1), np.ones(3), parts, "t", unit=Unit.DOCUMENT)
    plain, folded = of_cell(cell), of_cell(replace(cell, folds=5))
    of_a_seed = cell.quality.var(ddof=1)
    assert folded.document_error**2 == pytest.approx(plain.document_error**2 + 5 / 4 * of_a_seed)
    assert folded.seed_error == plain.seed_error
    other = replace(cell, name="other", parts=parts[::-1] * 0.9, quality=parts[::-1].mean(axis=1) * 0.9)
    wide, narrow = (
        difference(replace(cell, folds=folds), replace(other, folds=folds)).interval for folds in (5, None)
    )
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_draws_of_scores_allow_for_training_parts_that_overlap() -> None:
    """As far as the interval of a difference does."""
    documents = np.random.default_rng(1).normal(0, 0.4, 300)
    spread = {}
    for folds in (5, None):
        cells = []
        for name, qualities in (("one", (0.80, 0.83, 0.77)), ("other", (0.41, 0.375, 0.44))):
            own = np.random.default_rng(len(name)).normal(0, 0.05, (3, 300))
            parts = documents + own
            parts += (np.array(qualities) - parts.mean(axis=1))[:, None]
            cells.append(
                Replicates(name, (1, 2, 3), np.array(qualities), np.ones(3), parts, "t", folds=folds)
            )
        left, right = np.eye(2)
        drawn = posterior.scores(cells, np.ones(2), 20_000, np.random.default_rng(3))
        moved = bootstrap.draws("letters", cells).quality
        spread[folds] = [np.std(values @ (left - right)) for values in (drawn, moved)]
    for with_folds, without in zip(spread[5], spread[None], strict=True):
        assert with_folds > 1.7 * without


def test_answers_by_class_are_counted() -> None:
    gold = np.array([[True, False], [True, False], [False, True]])
    given = np.array([[True, False], [False, True], [False, True]])
    assert class_answers(("a", "b"), gold, given) == {
        "a": ClassAnswers(right=1, given=1, examples=2),
        "b": ClassAnswers(right=1, given=2, examples=1),
    }


def test_mentions_are_counted_by_type() -> None:
    gold = [["B-Drug", "I-Drug", "O"], ["B-Dose", "O", "B-Drug"]]
    given = [["B-Drug", "I-Drug", "O"], ["B-Drug", "O", "B-Drug"]]
    labels = ("O", "B-Drug", "I-Drug", "B-Dose", "I-Dose", "B-Form", "I-Form")
    assert mention_answers(labels, mentions_of_words(gold, given)) == {
        "Dose": ClassAnswers(right=0, given=0, examples=1),
        "Drug": ClassAnswers(right=2, given=3, examples=2),
        "Form": ClassAnswers(right=0, given=0, examples=0),
    }


def test_the_page_says_how_much_each_fold_tests_and_what_the_score_is(tmp_path: Path) -> None:
    [letters] = Swept(tmp_path / "a", with_folds()).report.tasks
    assert f"in test of each of 3 folds, which together test {ROWS} documents" in str(letters.sizes)
    assert any("Cross-validation: for each seed" in note for note in letters.notes)
    [areas] = Swept(tmp_path / "b", with_folds(MetricName.MACRO_AUROC)).report.tasks
    assert any("the score of a seed is the mean of those of its folds" in note for note in areas.notes)
