"""Which failures are worth another attempt."""

from __future__ import annotations

import pytest
from execution_fakes import make_outcome, make_trial
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.trial import AttemptOrder, Resources
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step

DETERMINISTIC = {FailureKind.BAD_INPUT, FailureKind.BUG, FailureKind.DIVERGED, FailureKind.COLLAPSED}
ORDER = AttemptOrder(
    trial=make_trial("a").spec, attempt=1, directory="d", cache_dir="c", resources=Resources(), ordered_at=0.0
)


def step(*kinds: FailureKind | None, retries: int = 2) -> NextStep:
    return next_step([make_outcome(ORDER, kind) for kind in kinds], RetryPolicy(retries))


def test_begins_with_an_attempt_and_ends_with_a_result() -> None:
    assert step() is NextStep.ATTEMPT
    assert step(None) is NextStep.FINISHED
    assert step(FailureKind.PREEMPTED, None) is NextStep.FINISHED


@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_what_may_pass_is_tried_again(kind: FailureKind) -> None:
    assert step(kind) is (NextStep.GIVE_UP if kind in DETERMINISTIC else NextStep.ATTEMPT)


def test_out_of_memory_is_tried_again_once_however_many_retries_there_are() -> None:
    out_of_memory, preempted = FailureKind.OUT_OF_MEMORY, FailureKind.PREEMPTED
    assert step(out_of_memory, out_of_memory, retries=9) is NextStep.GIVE_UP
    assert step(out_of_memory, preempted, retries=9) is NextStep.ATTEMPT
    assert step(out_of_memory, preempted, out_of_memory, retries=9) is NextStep.GIVE_UP


@given(st.integers(0, 5), st.lists(st.sampled_from(FailureKind), min_size=1, max_size=9))
def test_there_are_never_more_attempts_than_retries_and_one(retries: int, kinds: list[FailureKind]) -> None:
    if len(kinds) > retries:
        assert step(*kinds, retries=retries) is NextStep.GIVE_UP
