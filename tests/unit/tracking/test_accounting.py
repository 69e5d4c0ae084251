"""Every billed device-second is in exactly one place, whatever was killed when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts.ledger import Spending
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import FailureKind, Phase, TrialState
from orchestrator.tracking.trial_costs import add_up, totals_of

WORK = 40.0  # seconds of training that a trial needs


@dataclass
class Simulated:
    """A trial on a virtual clock: it counts by itself what a kill threw away."""

    fates: list[Fate]
    billed: float = 0.0
    lost: float = 0.0  # work done twice, and time in no phase of a killed attempt
    overhead: float = 0.0  # time in no phase of the finishing attempt
    finished: bool = False


def simulate(kills: list[float], checkpoint_every: float, overhead: float) -> Simulated:
    """Attempts are killed after so many seconds each; the one after the last kill is left to finish."""
    run = Simulated([])
    saved = 0.0
    for life in [*kills, float("inf")]:
        inherited = {Phase.TRAIN: saved} if saved else {}
        resumed = int(saved) if saved else None
        needed = WORK - saved
        if life >= overhead + needed:
            phases = {Phase.TRAIN: needed}
            run.fates.append(
                Fate(
                    seconds=overhead + needed,
                    quality=0.5,
                    phases=phases,
                    inherited=inherited,
                    resumed_from_step=resumed,
                )
            )
            run.billed += overhead + needed
            run.overhead = overhead
            run.finished = True
            return run
        worked = max(0.0, life - overhead)
        kept = (saved + worked) // checkpoint_every * checkpoint_every
        kept = max(saved, kept)
        failure = FailureKind.PREEMPTED if len(run.fates) % 2 else None  # with and without an outcome
        phases = {Phase.TRAIN: worked}
        run.fates.append(
            Fate(seconds=life, failure=failure, phases=phases, inherited=inherited, resumed_from_step=resumed)
        )
        run.billed += life
        run.lost += life - (kept - saved)
        saved = kept
    raise AssertionError("the last attempt always finishes")


@given(
    kills=st.lists(st.floats(0.5, 60, allow_nan=False), max_size=5),
    checkpoint_every=st.floats(1, 50, allow_nan=False),
    overhead=st.floats(0, 5, allow_nan=False),
    cpus=st.integers(1, 4),
)
def test_billed_is_useful_overhead_and_wasted_and_nothing_is_counted_twice(
    kills, checkpoint_every, overhead, cpus
):
    run = simulate(kills, checkpoint_every, overhead)
    with TemporaryDirectory() as directory:
        built = LedgerBuilder(Path(directory))
        [trial] = built.plan(["tiny"], ["general"], ["full"], seeds=[1], resources=Resources(cpus=cpus))
        for fate in run.fates:
            built.attempt(trial, fate)
        record = built.ledger.trial(trial)
    assert record.state is TrialState.FINISHED
    assert record.billed_device_seconds == pytest.approx(cpus * run.billed)
    assert record.useful_device_seconds == pytest.approx(cpus * WORK)  # however often it was killed
    assert record.wasted_device_seconds == pytest.approx(cpus * run.lost, abs=1e-3)
    assert sum(s.overhead for s in record.spending) == pytest.approx(cpus * run.overhead, abs=1e-3)


@given(
    fates=st.lists(
        st.builds(
            Fate,
            seconds=st.floats(0.1, 100),
            quality=st.none() | st.floats(0, 1),
            fingerprint=st.sampled_from([None, "0" * 16]),
            bill=st.booleans(),
            device_type=st.sampled_from(["cpu", "Some GPU"]),
            inherited=st.dictionaries(st.just(Phase.TRAIN), st.floats(0, 200), max_size=1),
        ),
        max_size=5,
    ),
    candidate=st.none() | st.just(3),
)
def test_the_parts_always_add_up(fates, candidate):
    with TemporaryDirectory() as directory:
        built = LedgerBuilder(Path(directory))
        [trial] = built.plan(["tiny"], ["general"], ["full"], seeds=[1])
        trial = trial.model_copy(update={"candidate": candidate})
        for fate in fates:
            built.attempt(trial, fate)
        record = built.ledger.trial(trial)
    for part in record.spending:
        assert part.billed == pytest.approx(
            part.useful + part.overhead + part.wasted + part.unfinished + part.superseded + part.tuning
        )
        assert part.tuning == 0 or candidate is not None
        assert candidate is None or part.superseded + part.tuning == pytest.approx(part.billed)
        assert part.unexplained <= part.billed
        assert part.preempted <= part.wasted
    billed = sum(a.billed_device_seconds or 0.0 for a in record.attempts)
    assert record.billed_device_seconds == pytest.approx(billed)


def test_sums_never_mix_cores_and_gpus():
    parts = [Spending(device_type="cpu", billed=1), Spending(device_type="A GPU", billed=2)]
    assert [(s.device_type, s.billed) for s in add_up([*parts, *parts])] == [("A GPU", 4), ("cpu", 2)]


def test_totals_count_planned_trials_and_the_cost_of_removed_ones(tmp_path):
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2])
    built.finish_all()
    built.plan(["tiny"], ["general"], ["ia3"], seeds=[1, 2])
    totals = totals_of(built.ledger.trials(), 3, built.ledger.removed())
    assert totals.trials[TrialState.NEW] == 2
    assert totals.trials[TrialState.STALE] == 0
    assert totals.refused_cells == 3
    assert totals.spending[0].superseded == 200


def test_candidates_are_billed_to_tuning_however_they_ended_and_never_to_a_trial(tmp_path):
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2])
    built.finish_all()
    tried = [trials[0].model_copy(update={"candidate": number}) for number in (1, 2, 3)]
    fates = [Fate(quality=0.7), Fate(failure=FailureKind.DIVERGED), Fate(quality=0.6, fingerprint="0" * 16)]
    for candidate, fate in zip(tried, fates, strict=True):
        built.attempt(candidate, fate)
    built.attempt(tried[0].model_copy(update={"candidate": 9}), Fate(quality=0.9))  # of a longer search
    built.ledger.write_sweep(built.sweep.model_copy(update={"candidates": tuple(tried)}))
    [spent] = totals_of(
        built.ledger.trials(), 0, [*built.ledger.candidates(), *built.ledger.removed()]
    ).spending
    assert (spent.tuning, spent.superseded, spent.billed) == (200, 200, 600)
    assert [r.billed_device_seconds for r in built.ledger.trials()] == [100, 100]
    assert [r.name[-8:] for r in built.ledger.removed()] == ["tune-009"]


def test_history_knows_what_candidates_scored_on_dev_and_cost(tmp_path):
    built = LedgerBuilder(tmp_path)
    [trial] = built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    candidate = trial.model_copy(update={"candidate": 12})
    built.attempt(candidate, Fate(failure=FailureKind.PREEMPTED))
    built.attempt(candidate, Fate(quality=0.7))
    assert candidate.name.endswith("/tune-012")
    found = built.ledger.history([candidate.name, trial.name])
    assert found.keys() == {candidate.name}
    assert found == built.ledger.history()
    [under] = found[candidate.name].by_fingerprint.values()
    assert (under.dev_quality, under.device_seconds) == (0.7, 200)
    assert found[candidate.name].last.candidate == 12
