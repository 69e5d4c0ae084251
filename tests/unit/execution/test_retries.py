"""Which failures are worth another attempt."""

from __future__ import annotations

import itertools

import pytest
from execution_fakes import make_outcome, make_trial
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.outcome import Failure, Outcome
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step

DETERMINISTIC = {FailureKind.BAD_INPUT, FailureKind.BUG, FailureKind.DIVERGED, FailureKind.COLLAPSED}
ORDER = AttemptOrder(
    trial=make_trial("a").spec, attempt=1, directory="d", cache_dir="c", resources=Resources(), ordered_at=0.0
)


def step(*kinds: FailureKind | None, retries: int = 2) -> NextStep:
    return next_step([make_outcome(ORDER, kind) for kind in kinds], RetryPolicy(retries))


def out_of_memory(size: int | None, phase: Phase = Phase.TRAIN) -> Outcome:
    failure = Failure(kind=FailureKind.OUT_OF_MEMORY, phase=phase, message="scripted")
    made = make_outcome(ORDER, FailureKind.OUT_OF_MEMORY)
    field = "evaluation_batch_size" if phase.is_scoring else "micro_batch_size"
    return made.model_copy(update={"failure": failure, field: size})


def test_begins_with_an_attempt_and_ends_with_a_result() -> None:
    assert step() is NextStep.ATTEMPT
    assert step(None) is NextStep.FINISHED
    assert step(FailureKind.PREEMPTED, None) is NextStep.FINISHED


@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_what_may_pass_is_tried_again(kind: FailureKind) -> None:
    assert step(kind) is (NextStep.GIVE_UP if kind in DETERMINISTIC else NextStep.ATTEMPT)


@pytest.mark.parametrize("retries", [0, 9])
def test_out_of_memory_is_tried_again_until_a_pass_holds_one_example(retries: int) -> None:
    outcomes: list[Outcome] = []
    for size in (32, 16, 8, 4, 2):
        outcomes.append(out_of_memory(size))
        assert next_step(outcomes, RetryPolicy(retries)) is NextStep.ATTEMPT
    assert next_step([*outcomes, out_of_memory(1)], RetryPolicy(retries)) is NextStep.GIVE_UP


def test_a_pass_that_never_shrinks_is_not_tried_for_ever() -> None:
    again = [out_of_memory(4)] * 3
    assert next_step(again[:2], RetryPolicy()) is NextStep.ATTEMPT
    assert next_step(again, RetryPolicy()) is NextStep.GIVE_UP
    assert next_step([out_of_memory(None)], RetryPolicy()) is NextStep.GIVE_UP


@pytest.mark.parametrize("phase", [Phase.EVALUATE, Phase.TEST])
def test_scoring_has_passes_of_its_own(phase: Phase) -> None:
    training = [out_of_memory(size) for size in (4, 2)]
    scoring = [out_of_memory(size, phase) for size in (64, 32, 16)]
    assert next_step([*training, *scoring], RetryPolicy(0)) is NextStep.ATTEMPT
    assert next_step([*training, out_of_memory(1), *scoring], RetryPolicy(0)) is NextStep.GIVE_UP
    scoring += [out_of_memory(size, phase) for size in (8, 4, 2, 1)]
    assert next_step([*training, *scoring], RetryPolicy(0)) is NextStep.GIVE_UP


def test_a_state_of_the_optimiser_that_does_not_fit_is_not_tried_again() -> None:
    """No smaller pass makes it smaller."""
    places = ("workers/train.py:178 optimiser_step", "torch/optim/adam.py:142 _init_group")
    outcome = out_of_memory(32)
    assert outcome.failure is not None
    lacks = outcome.model_copy(update={"failure": outcome.failure.model_copy(update={"places": places})})
    assert next_step([lacks], RetryPolicy(9)) is NextStep.GIVE_UP


def test_weights_that_do_not_fit_are_tried_again_once_as_smaller_passes_would_not_help() -> None:
    loading = out_of_memory(32, Phase.LOAD)
    assert next_step([loading], RetryPolicy(9)) is NextStep.ATTEMPT
    assert next_step([loading, loading], RetryPolicy(9)) is NextStep.GIVE_UP


def test_smaller_passes_use_up_no_retries() -> None:
    timed_out = make_outcome(ORDER, FailureKind.TIMEOUT)
    outcomes = [out_of_memory(32), timed_out, out_of_memory(16), out_of_memory(8)]
    assert next_step(outcomes, RetryPolicy(1)) is NextStep.ATTEMPT
    assert next_step([*outcomes, timed_out], RetryPolicy(1)) is NextStep.GIVE_UP


def test_what_a_trial_ran_on_may_go_without_using_up_its_retries() -> None:
    """Both are counted, each by itself, in any order."""
    lost, own = FailureKind.PREEMPTED, FailureKind.TIMEOUT
    policy = RetryPolicy(retries=1, preemptions=3)

    def after(*kinds: FailureKind) -> set[NextStep]:
        orders = itertools.permutations([make_outcome(ORDER, kind) for kind in kinds])
        return {next_step(outcomes, policy) for outcomes in orders}

    assert after(lost, lost, lost, own) == {NextStep.ATTEMPT}
    assert after(lost, own, own) == {NextStep.GIVE_UP}
    assert after(lost, lost, lost, lost) == {NextStep.GIVE_UP}
    assert after(lost, FailureKind.BUG) == {NextStep.GIVE_UP}
    assert next_step([make_outcome(ORDER, lost)], RetryPolicy(retries=0)) is NextStep.ATTEMPT


@given(st.integers(0, 5), st.integers(1, 64), st.lists(st.sampled_from(FailureKind), min_size=1, max_size=20))
def test_attempts_are_bounded_by_retries_and_halvings(
    retries: int, batch: int, kinds: list[FailureKind]
) -> None:
    sizes = Recipe(learning_rate=1, batch_size=batch).pass_sizes
    outcomes: list[Outcome] = []
    for kind in kinds:
        if next_step(outcomes, RetryPolicy(retries)) is NextStep.GIVE_UP:
            break
        shrunk = sum(outcome.failure.asks_for_less for outcome in outcomes if outcome.failure)
        made = (
            out_of_memory(sizes[shrunk]) if kind is FailureKind.OUT_OF_MEMORY else make_outcome(ORDER, kind)
        )
        outcomes.append(made)
    assert len(outcomes) <= 1 + RetryPolicy(retries).most + len(sizes)


@given(st.integers(1, 500))
def test_pass_sizes_fall_by_half_at_least_and_divide_the_batch(batch: int) -> None:
    sizes = Recipe(learning_rate=1, batch_size=batch).pass_sizes
    assert (sizes[0], sizes[-1]) == (batch, 1)
    assert all(batch % size == 0 for size in sizes)
    assert all(2 * after <= before for before, after in itertools.pairwise(sizes))
    assert len(sizes) <= batch.bit_length()


def ordered(batch: int, micro: int | None = None, **resources: int) -> AttemptOrder:
    recipe = Recipe(learning_rate=1, batch_size=batch)
    trial = ORDER.trial.model_copy(update={"recipe": recipe})
    placed = Resources(cpus=resources.get("processes", 1), **resources)
    return ORDER.model_copy(update={"trial": trial, "resources": placed, "micro_batch_size": micro})


@pytest.mark.parametrize(("processes", "size"), [(1, 32), (8, 4), (5, 7)])
def test_a_rank_passes_no_more_than_its_part_of_the_batch(processes: int, size: int) -> None:
    assert ordered(32, processes=processes).pass_size == size
    assert ordered(32, processes=processes, micro=2).pass_size == 2
    assert ordered(32, processes=processes, micro_batch_size=2).pass_size == 2


def test_ranks_try_no_pass_that_they_have_tried_already() -> None:
    words = ordered(32, processes=8, micro=1).passes_tried(Phase.TRAIN)
    assert words == "with 1 of 32 examples a forward pass, after 4, 2: no smaller pass is left to try"


@pytest.mark.parametrize(("size", "scored"), [(None, 64), (8, 16), (1, 2)])
def test_scoring_takes_smaller_passes_where_the_place_asks_for_them(size: int | None, scored: int) -> None:
    placed = Resources(micro_batch_size=size)
    assert ORDER.model_copy(update={"resources": placed}).evaluation_size == scored
    assert ordered(32, micro=8).evaluation_size == 64  # training ran out of memory, scoring did not
    few = ORDER.trial.recipe.model_copy(update={"evaluation_batch_size": 4})
    order = ORDER.model_copy(update={"trial": ORDER.trial.model_copy(update={"recipe": few})})
    tiny = Resources(micro_batch_size=1)
    assert order.model_copy(update={"resources": tiny}).evaluation_size == 1
