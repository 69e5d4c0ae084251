"""What the report says holds as often as it says: the bench's rows at 40 sweeps each, and their parts."""

from __future__ import annotations

import math
from dataclasses import replace

import bench.statistics_honest
import numpy as np
import pytest
from bench.statistics_honest import (
    ALIKE,
    SUPPOSED,
    UNEQUAL,
    Setting,
    answers,
    failures,
    families,
    forecasts,
    guesses,
    load,
    looks,
    power,
    probabilities,
    ranks,
    replication,
    risk,
    units,
    volumes,
    winner,
)
from scipy import stats
from simulated import point_of

from orchestrator.report.analysis.claim_text import DifferenceUnit
from orchestrator.report.analysis.claims import frontier_family
from orchestrator.report.analysis.rank_ranges import rank_ranges
from orchestrator.report.statistics.moderation import Prior, prior_of
from orchestrator.report.statistics.paired import (
    MeanEstimate,
    difference,
    mean_difference,
    mean_estimate,
    of_cell,
)
from orchestrator.report.statistics.power import Limit, limit_of, seeds_needed
from orchestrator.report.statistics.replicates import Replicates

SWEEPS = 40


def cells_of(scores: np.ndarray) -> list[Replicates]:
    """[cells, seeds]; without documents."""
    seeds = tuple(range(scores.shape[1]))
    return [Replicates(f"m{i}", seeds, row, np.ones(len(row)), None, None) for i, row in enumerate(scores)]


@pytest.mark.parametrize(("seeds", "scatter"), [(2, ALIKE), (3, UNEQUAL)])
def test_equal_cells_are_seldom_distinguished(seeds, scatter):
    found = list(families(SWEEPS, 6, Setting(seeds, 200, scatter), np.random.default_rng(1)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("truth", "seeds"), [("12 equal cells", 2), ("best 0.9 points above a cheaper one", 3)]
)
def test_within_a_point_is_seldom_said_to_be_shown_falsely(truth, seeds):
    found = list(answers(SWEEPS, truth, Setting(seeds, 200), np.random.default_rng(11)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


@pytest.mark.parametrize(("truth", "seeds"), [("12 equal cells", 2), ("frontier of 4 in 12", 3)])
def test_the_interval_of_the_chosen_cell_holds_its_true_score(truth, seeds):
    found = list(winner(SWEEPS, truth, Setting(seeds, 200), np.random.default_rng(12)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_true_steps_are_shown_with_three_seeds_and_what_limits_them_is_named():
    found = list(power(SWEEPS, Setting(3, 2000), np.random.default_rng(2)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_a_probability_of_being_on_the_frontier_is_as_often_true_as_it_says():
    found = list(probabilities(SWEEPS // 2, "near ties", Setting(3, 200), np.random.default_rng(13)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_the_risk_that_is_named_holds_where_one_cell_scatters_more():
    found = list(risk(SWEEPS, 0.15, 0.03, np.random.default_rng(3)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_equal_models_are_seldom_distinguished_by_sentences_of_one_note():
    found = list(units(200, 0.3, np.random.default_rng(5)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


@pytest.mark.parametrize("of", [("single", 1), ("mean", 3), ("max", 5)])
def test_published_numbers_agree_or_differ_only_where_that_is_shown(of):
    found = list(replication(400, 3, of, np.random.default_rng(6)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_mean_ranks_lie_in_intervals_that_leave_places_out():
    found = list(ranks(4, 0.01, 5, np.random.default_rng(9)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_an_interval_of_all_places_does_not_pass_for_one_of_a_rank(monkeypatch):
    all_places = [(1, 12)] * 12
    monkeypatch.setattr(bench.statistics_honest, "rank_ranges", lambda cells, tasks: all_places)
    found = list(ranks(1, 0.01, 5, np.random.default_rng(9)))
    assert [line.measure for line in found if not line.passes] == ["width of it, of 11 places"]


def test_the_mean_quality_over_budgets_lies_in_its_interval():
    found = list(volumes(SWEEPS // 2, "12 equal cells", Setting(5, 200), np.random.default_rng(14)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_one_look_claims_seldom_and_six_looks_as_often_as_the_methods_page_says():
    found = list(looks(SWEEPS, 100, np.random.default_rng(15)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_a_step_does_not_pay_for_pairs_elsewhere_that_are_distinguishable():
    noise = np.array([0.001, -0.001, 0.0, 0.002])
    scores = np.array([0.5 + 0.1 * i + (-1) ** i * noise for i in range(5)])
    named = [replace(c, name=f"{c.name}/general/full") for c in cells_of(scores)]
    cells = {c.name: c for c in named}
    members = [point_of(cell) for cell in list(cells.values())[:2]]
    picked = {name: cells[name] for name in list(cells)[:2]}
    [alone] = frontier_family(members, None, picked, 5, DifferenceUnit("t", True)).claims
    [among] = frontier_family(members, None, cells, 5, DifferenceUnit("t", True)).claims
    assert among.p == alone.p
    assert among.adjusted < alone.adjusted


def test_a_cell_ranks_below_those_that_are_shown_to_be_better_and_above_those_shown_to_be_worse():
    noise = 0.001 * np.random.default_rng(10).standard_normal((4, 4))
    cells = cells_of(np.array([0.9, 0.7, 0.7, 0.5])[:, None] + noise)
    assert rank_ranges(cells, 1) == [(1, 1), (2, 3), (2, 3), (4, 4)]
    assert rank_ranges([*cells, replace(cells[0], seeds=(0,), quality=np.array([0.2]))], 1)[4] == (1, 5)
    assert rank_ranges(cells * 11, 1) is None


def test_the_interval_of_a_cost_holds_on_a_machine_whose_load_drifts():
    found = list(load(SWEEPS, 0.1, 3, np.random.default_rng(7)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_the_total_of_a_sweep_ends_inside_its_forecast_as_often_as_is_said():
    found = list(forecasts(20, SUPPOSED, (3, 36), np.random.default_rng(8)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_seeds_that_collapse_count_and_are_named():
    found = list(failures(8, 0.3, 3, np.random.default_rng(4)))
    assert all(line.passes for line in found), "\n".join(map(str, found))


def test_cells_that_guess_are_seldom_called_better_though_seeds_of_them_fail():
    [found] = guesses(40, 0.3, Setting(3, 200), np.random.default_rng(4))
    assert found.passes, found


def test_a_prior_of_many_cells_is_the_one_that_their_variances_were_drawn_from():
    """Variances d0 s0^2 / chi-squared(d0), with d0 = 6 and s0 = 2."""
    rng = np.random.default_rng(4)
    spread = 2 * np.sqrt(6 / rng.chisquare(6, 20_000))
    prior = prior_of(cells_of(spread[:, None] * rng.standard_normal((20_000, 4))))
    assert prior.freedom == pytest.approx(6, rel=0.15)
    assert math.sqrt(prior.variance) == pytest.approx(2, rel=0.05)


def test_cells_that_scatter_alike_are_pooled_over_all_their_seeds():
    rng = np.random.default_rng(5)
    prior = prior_of(cells_of(rng.standard_normal((4000, 3))))
    assert prior.freedom > 15
    assert prior.variance == pytest.approx(1, rel=0.1)
    assert prior.pooled == pytest.approx(3999 * 2)
    assert Prior(1.0, math.inf, 22.0).moderate(0.5, 2, 2.0) == (2.0, 22.0)


def test_what_a_seed_does_to_all_cells_alike_is_no_scatter_of_a_difference():
    rng = np.random.default_rng(6)
    scores = rng.standard_normal((12, 4))
    common = 10 * rng.standard_normal(4)
    assert prior_of(cells_of(scores + common)) == pytest.approx(prior_of(cells_of(scores)))


def test_a_cell_that_misses_seeds_is_no_reason_against_a_prior():
    rng = np.random.default_rng(7)
    cells = cells_of(rng.standard_normal((6, 4)))
    cells[0] = replace(cells[0], seeds=(0, 1), quality=cells[0].quality[:2])
    prior = prior_of(cells)
    assert prior.pooled == pytest.approx(6 * 4 - 2 - 6 - 3)
    assert prior_of(cells[:1]) is None
    assert prior_of(cells_of(np.ones((3, 2)))) is None


@pytest.mark.parametrize("documents", [0, 1, 40])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_cell_is_judged_by_its_own_seeds_and_documents_to_the_last_digit(seeds, documents):
    parts = np.random.default_rng(11).standard_normal((seeds, documents)) if documents else None
    [cell] = cells_of(np.arange(seeds, dtype=float)[None])
    cell = replace(cell, parts=parts, test_set="t" if documents else None)
    for prior in (None, Prior(1.0, 4.0, 22.0)):
        assert of_cell(cell, prior) == mean_estimate(cell.quality, cell.parts, prior)


def test_a_difference_is_never_judged_by_less_than_its_own_scatter():
    cells = cells_of(np.array([[0.0, 9.0, 0.0], [1.0, 0.0, 2.0], *([[0.0, 0.1, 0.3]] * 6)]))
    prior = prior_of(cells)
    alone, moderated = difference(cells[0], cells[1]), difference(cells[0], cells[1], prior)
    assert moderated.seed_error >= alone.seed_error
    assert moderated.freedom >= 2


def test_a_mean_over_combinations_scales_the_prior_by_its_weights():
    rng = np.random.default_rng(8)
    cells = cells_of(rng.standard_normal((40, 2)))
    prior = Prior(1.0, math.inf, 100.0)
    pairs = list(zip(cells[::2], cells[1::2], strict=True))[:8]
    found = mean_difference(pairs, prior)
    own = np.mean([a.quality - b.quality for a, b in pairs], axis=0).var(ddof=1)
    assert found.seed_error**2 == pytest.approx(max(2 / 8, own) / 2)


def test_what_limits_a_difference_is_the_part_that_scatters_more():
    assert limit_of(MeanEstimate(0.01, 3, 400, 0.001, 0.02), 0.001) is Limit.DOCUMENTS
    assert limit_of(MeanEstimate(0.01, 3, 40_000, 0.02, 0.001), 0.001) is Limit.SEEDS
    assert limit_of(MeanEstimate(0.01, 3, None, 0.02), 0.05) is Limit.SEEDS
    assert limit_of(MeanEstimate(0.01, 1, None), 0.05) is None


def test_the_seeds_that_are_told_are_the_fewest_that_settle_a_difference_if_any_number_does():
    """Degrees of freedom abound, so the interval is 1.96 errors on each side."""
    found = MeanEstimate(0.0, 3, 10_000, 0.01, 0.001, 1e6)
    least = math.ceil(3 * 0.01**2 / ((0.01 / 1.96) ** 2 - 0.001**2))
    assert seeds_needed(found, 0.05, 0.01) == least == 12
    assert seeds_needed(found, 0.05, 0.001) is None  # the documents alone scatter by more
    assert seeds_needed(found, 0.05, 0.03) == 3
    assert seeds_needed(MeanEstimate(0.01, 1, None), 0.05, 0.01) is None


def test_one_seed_that_the_others_judge_needs_fewer_seeds_the_less_these_scatter():
    found = [
        seeds_needed(MeanEstimate(0.0, 1, None, error, 0.0, 20.0), 0.05, 0.01) for error in (0.004, 0.02)
    ]
    assert found[0] == 1
    assert 16 <= found[1] <= 20  # (2 x 0.02 / 0.01)^2, with the degrees of freedom of 20 and these seeds
    assert limit_of(MeanEstimate(0.0, 1, 400, 0.001, 0.02, 20.0), 0.05) is Limit.DOCUMENTS


def test_the_smallest_difference_shown_has_the_p_value_it_is_held_against():
    least = MeanEstimate(0.0, 3, 400, 0.01, 0.02, 20.0).half(0.001)
    assert MeanEstimate(least, 3, 400, 0.01, 0.02, 20.0).p == pytest.approx(0.001, rel=1e-3)


def test_a_difference_can_be_shown_with_two_seeds_where_all_cells_scatter_alike():
    """Holm asks for 0.05 / 66 of 12 cells, which two seeds of their own never reach."""
    away = np.array([0.005, -0.005])
    cells = cells_of(np.array([0.7 + 0.06 * i + (-1) ** i * away for i in range(12)]))
    assert difference(cells[1], cells[0]).p > 0.05
    assert difference(cells[1], cells[0], prior_of(cells)).p < 0.05 / 66


def test_moderated_p_values_of_equal_cells_are_uniform_enough():
    rng = np.random.default_rng(10)
    found = []
    for _ in range(300):
        cells = cells_of(rng.standard_normal((8, 3)))
        found.append(difference(cells[0], cells[1], prior_of(cells)).p)
    assert stats.binomtest(sum(p <= 0.05 for p in found), 300, 0.05).pvalue > 0.001
