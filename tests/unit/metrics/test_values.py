"""Scores of numbers, what each document adds to them, and how the report reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_builder import task
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report.results.failed_seeds import SeedScore
from orchestrator.report.results.replicates import replicates
from workers.contributions import scored_examples
from workers.data.examples import RegressionText
from workers.documents import number_documents
from workers.guessing import guessing
from workers.metrics import score_values
from workers.tasks import Encoded, LogitMeaning, predicted_values

FIGURES = (MetricName.MAE, MetricName.RMSE, MetricName.PEARSON)
SCALE = TargetScale(mean=4.0, deviation=2.0)


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of texts, and how many deviations the model's are above the mean."""
    n = draw(st.integers(2, 12))
    gold = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    logits = draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    return np.array(gold, dtype=np.float64), np.array(logits, dtype=np.float32)[:, None]


def texts(values: np.ndarray) -> list[RegressionText]:
    return [RegressionText("secret", None, "", f"d{n // 2}", value=v) for n, v in enumerate(values.tolist())]


def encoded(values: np.ndarray) -> Encoded:
    return Encoded(
        input_ids=[[1]] * len(values),
        labels=((values - SCALE.mean) / SCALE.deviation).tolist(),
        token_type_ids=None,
        truncated=0,
        objective=LogitMeaning.NUMBER,
        values=values.tolist(),
        scale=SCALE,
    )


@given(found=answers())
def test_scores_are_those_of_scikit_learn_and_scipy(found: tuple[np.ndarray, np.ndarray]) -> None:
    gold, predicted = found[0], found[1][:, 0].astype(np.float64)
    scores = score_values(gold, predicted)
    assert scores[MetricName.MAE].value == pytest.approx(mean_absolute_error(gold, predicted))
    assert scores[MetricName.RMSE].value == pytest.approx(root_mean_squared_error(gold, predicted))
    if np.ptp(gold) and np.ptp(predicted):
        assert scores[MetricName.PEARSON].value == pytest.approx(pearsonr(gold, predicted).statistic)
    else:
        assert scores[MetricName.PEARSON].missing is not None


@given(found=answers())
def test_the_sums_over_documents_give_the_score(found: tuple[np.ndarray, np.ndarray]) -> None:
    gold, logits = found
    data = encoded(gold)
    scores = score_values(gold, predicted_values(data, list(logits)))
    for metric in FIGURES:
        asked = task("t", TaskKind.REGRESSION).model_copy(update={"metric": metric})
        record = scored_examples(asked, ("value",), number_documents(texts(gold)), data, list(logits))
        if record is None:
            assert scores[metric].value is None
            continue
        assert sum(record.numerator) / sum(record.denominator) == pytest.approx(
            scores[metric].value, abs=1e-5
        )
        assert len(record.numerator) == (len(gold) + 1) // 2


@pytest.mark.parametrize("metric", [MetricName.RMSE, MetricName.PEARSON])
def test_their_spread_is_that_of_the_score_over_other_test_sets(metric: MetricName) -> None:
    rng = np.random.default_rng(3)
    gold = rng.gamma(2.0, 3.0, 400)
    predicted = gold + rng.normal(size=400)
    logits = ((predicted - SCALE.mean) / SCALE.deviation).astype(np.float64)[:, None]
    asked = task("t", TaskKind.REGRESSION).model_copy(update={"metric": metric})
    examples = [RegressionText("x", None, "", str(n), value=v) for n, v in enumerate(gold.tolist())]
    record = scored_examples(asked, ("value",), number_documents(examples), encoded(gold), list(logits))
    assert record is not None
    drawn = [rng.integers(0, 400, 400) for _ in range(400)]
    scores = [score_values(gold[rows], predicted[rows])[metric].value for rows in drawn]
    assert np.std(record.numerator) / 20 == pytest.approx(np.std(scores), rel=0.15)


def test_guessing_is_the_median_of_train_for_mae_and_its_mean_else() -> None:
    train, test = texts(np.array([1.0, 2.0, 9.0])), texts(np.array([2.0, 4.0]))
    found = guessing(task("t", TaskKind.REGRESSION), ("value",), train, test)
    assert found[MetricName.MAE] == pytest.approx(1.0)
    by_rmse = task("t", TaskKind.REGRESSION).model_copy(update={"metric": MetricName.RMSE})
    found = guessing(by_rmse, ("value",), train, test)
    assert found[MetricName.RMSE] == pytest.approx(np.sqrt(2.0))
    assert MetricName.PEARSON not in found


def test_documents_of_an_error_are_oriented_as_quality_is() -> None:
    examples = ScoredExamples(MetricName.MAE, "t", floats([1.0, 3.0]), floats([1.0, 1.0]))
    cell = replicates("cell", [SeedScore(1, -2.0, examples=examples)])
    assert cell is not None
    assert cell.parts is not None
    assert cell.parts.tolist() == [[-1.0, -3.0]]
