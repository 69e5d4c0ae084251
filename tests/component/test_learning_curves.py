"""How a curve is judged."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from orchestrator.contracts.vocabulary import Signature
from workers.learning_curve import MARGIN, DevScore, signature

hundredths = st.integers(0, 100).map(lambda n: n / 64)  # exact, so that a shift changes no difference
points = st.lists(st.tuples(st.none() | hundredths, st.booleans()), max_size=24)
Point = tuple[float | None, bool]


def curve(*points: float | Point | None) -> list[DevScore]:
    pairs = [point if isinstance(point, tuple) else (point, False) for point in points]
    return [DevScore(10 * n, float(n), quality, fell) for n, (quality, fell) in enumerate(pairs, start=1)]


@pytest.mark.parametrize(
    ("qualities", "expected"),
    [
        ((0.1, 0.5, 0.8), Signature.IMPROVING),
        ((0.1, 0.8, 0.805), Signature.CONVERGED),
        ((0.1, 0.8, 0.6), Signature.CONVERGED),
        ((0.8, 0.7, 0.805), Signature.PLATEAUED),
        ((0.8, 0.8, 0.8), Signature.PLATEAUED),
        ((0.1, 0.8), None),
        ((0.1, None, 0.8), None),
        ((), None),
        # Small rises add up: the end is the last quarter of the evaluations, not the last one alone.
        ((0.1, 0.5, 0.6, 0.7, 0.71, 0.72, 0.728, 0.736), Signature.IMPROVING),
        ((0.1, 0.5, 0.6, 0.7, 0.728, 0.73, 0.731, 0.736), Signature.CONVERGED),
    ],
)
def test_a_curve_is_named(qualities, expected):
    assert signature(curve(*qualities)) is expected


def test_a_trial_that_recovers_is_judged_by_its_best():
    assert signature(curve((0.1, True), (0.1, True), 0.9)) is Signature.IMPROVING
    assert signature(curve(0.9, 0.2, (0.1, True))) is Signature.PLATEAUED
    assert signature(curve((0.1, True), (0.1, True))) is Signature.COLLAPSED
    assert signature(curve((None, True))) is Signature.COLLAPSED


@given(points)
def test_collapsed_is_exactly_a_collapsed_best_and_none_too_few_scores(found):
    made = curve(*found)
    scored = [at for at in made if at.quality is not None]
    best = max(scored, key=lambda at: at.quality) if scored else (made[0] if made else None)
    given_name = signature(made)
    assert (given_name is Signature.COLLAPSED) == (best is not None and best.collapsed)
    assert (given_name is None) == (len(scored) < 3 and not (best is not None and best.collapsed))


@given(points, st.integers(-64, 64))
def test_only_differences_count(found, by):
    moved = [(None if quality is None else quality + by / 64, fell) for quality, fell in found]
    assert signature(curve(*moved)) is signature(curve(*found))


@given(st.lists(hundredths, min_size=3, max_size=24))
def test_an_end_that_is_the_highest_by_a_margin_still_improves_and_any_other_does_not(heights):
    *before, _ = heights
    assert signature(curve(*before, max(before) + 2 * MARGIN)) is Signature.IMPROVING
    assert signature(curve(*before, max(before) - 0.5)) is not Signature.IMPROVING


@given(points)
def test_a_curve_that_was_written_down_and_read_is_judged_the_same(found):
    assume(found)
    adapter = TypeAdapter(list[DevScore])
    made = curve(*found)
    assert adapter.validate_json(adapter.dump_json(made)) == made
