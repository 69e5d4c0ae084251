"""Searches in virtual time: tuned first, then compared, whatever is killed in between."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples
from virtual_sweeps import Board, DriverKilledError, Project

from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import AttemptOrder, TrialSpec
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.errors import ConfigError
from orchestrator.execution.launcher import LaunchEvent, RunPlanned, TrialEnded, TrialOrder
from orchestrator.execution.progress import Progress
from orchestrator.execution.simulated_launcher import SimulatedAttempt
from orchestrator.planning.cost import ASSUMED_CLOSING_SECONDS
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.trial_costs import totals_of

SPACE = {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "alpha_ratio": [0.5, 1.0]}
TUNE = {"trials": 12, "space": SPACE}
KEYS: dict[str, Any] = {"methods": ["full", {"name": "lora", "tune": TUNE}]}


def score(spec: TrialSpec) -> float:
    """Best near 3e-4, and a little better with a ratio of one."""
    ratio = getattr(spec.method.settings, "alpha_ratio", None)
    return 0.9 - 0.1 * abs(math.log10(spec.recipe.learning_rate / 3e-4)) - 0.01 * (ratio != 1.0)


def train(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
    return SimulatedAttempt(10.0, value=score(trial.spec))


def project(directory: Path, **keys: Any) -> Project:
    return Project(directory, keys=KEYS | keys)


def sweep(done: Project) -> SweepRecord:
    return Ledger(done.sweep_directory).sweep()


def orders(done: Project, pattern: str) -> dict[str, AttemptOrder]:
    found = sorted(done.sweep_directory.rglob(f"{pattern}/attempt-*/order.json"))
    loaded = [AttemptOrder.model_validate_json(path.read_bytes()) for path in found]
    return {order.trial.name: order for order in loaded}


def test_a_search_ends_with_a_winner_that_the_seeds_are_trained_with(tmp_path: Path) -> None:
    done = project(tmp_path)
    summary = done.run(train)
    assert (summary.candidates, summary.finished, summary.failed, summary.not_run) == (24, 8, 0, ())
    record = sweep(done)
    assert len(record.candidates) == 24
    assert set(record.tuned) == {c.cell.name for c in record.candidates}
    candidates = orders(done, "tune-*")
    for cell, tuned in record.tuned.items():
        own = [o for o in candidates.values() if o.trial.cell.name == cell]
        best = max(own, key=lambda order: score(order.trial))
        assert tuned.candidate == best.trial.candidate
        assert tuned.dev_quality == pytest.approx(score(best.trial))
        assert (tuned.candidates, tuned.failed, tuned.device_seconds) == (12, 0, pytest.approx(120.0))
        assert record.recipes[cell].learning_rate == tuned.values["learning_rate"]
        for order in orders(done, "seed-*").values():
            if order.trial.cell.name == cell:
                assert order.trial.recipe == best.trial.recipe == record.recipes[cell]
                assert order.trial.method == best.trial.method == record.method_of(order.trial.cell)


def test_after_a_search_there_is_nothing_left_to_do(tmp_path: Path) -> None:
    done = project(tmp_path)
    done.run(train)
    plan, summary = done.plan(), done.run(train)
    assert plan.to_run == ()
    assert plan.forecast.tuning_candidates == 0
    assert plan.forecast.device_hours == 0
    assert (summary.attempts, summary.candidates, summary.up_to_date) == (0, 0, 8)


def test_the_plan_tells_candidates_and_seeds_apart(tmp_path: Path) -> None:
    plan = project(tmp_path).plan()
    assert plan.forecast.tuning_candidates == 24
    assert {item.reason for item in plan.to_run if "lora" in item.trial.name} == {"waiting"}
    assert {item.reason for item in plan.to_run if "full" in item.trial.name} == {"new"}
    seconds = {trial.cell.name: trial.forecast_seconds or 0.0 for trial in plan.trials}
    tuned = sum(s for name, s in seconds.items() if "lora" in name)
    searched = 12 * tuned - 24 * ASSUMED_CLOSING_SECONDS  # candidates are spared the scoring of test
    assert plan.forecast.tuning_device_hours == pytest.approx(searched / 3600)
    assert plan.forecast.device_hours == pytest.approx((searched + 2 * sum(seconds.values())) / 3600)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    done = project(tmp_path_factory.mktemp("undisturbed"))
    done.run(train)
    return done


@settings(max_examples=examples(0.25))
@given(
    deaths=st.lists(st.integers(1, 60), max_size=3),
    places=st.integers(1, 7),
    seconds=st.lists(st.integers(1, 100), min_size=1, max_size=5),
)
def test_a_killed_search_draws_the_same_candidates_and_ends_with_the_same_winner(
    undisturbed: Project, deaths: list[int], places: int, seconds: list[int]
) -> None:
    """The driver dies again and again, with any number of places, and attempts end in any order."""

    def script(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        turn = zlib.crc32(trial.name.encode()) % len(seconds)
        return SimulatedAttempt(float(seconds[turn]), value=score(trial.spec))

    def dying(death: int) -> Callable[[LaunchEvent], None]:
        events = itertools.count(1)

        def die(event: LaunchEvent) -> None:
            if next(events) == death:
                raise DriverKilledError

        return die

    with tempfile.TemporaryDirectory() as directory:
        killed = project(Path(directory))
        killed.places = places
        for death in deaths:
            with suppress(DriverKilledError):
                killed.run(script, notify=dying(death))
        killed.run(script)
        assert found(killed) == found(undisturbed)
        assert killed.finished_attempts() == undisturbed.finished_attempts()


def found(done: Project) -> tuple[set[tuple[str, str]], dict[str, tuple[Any, ...]]]:
    """Candidates with their fingerprints, and the winners."""
    record = sweep(done)
    winners = {cell: (t.candidate, t.values, t.dev_quality) for cell, t in record.tuned.items()}
    return {(c.name, c.fingerprint) for c in record.candidates}, winners


def test_interrupted_by_the_user_it_goes_on(tmp_path: Path) -> None:
    done, ended = project(tmp_path), list[str]()

    def stop(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded) and event.state is TrialState.FINISHED:
            ended.append(event.name)
            if len(ended) == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done.run(train, notify=stop)
    assert all("/tune-" in name for name in ended)
    assert len(sweep(done).candidates) == 20  # the first round of both
    assert done.run(train).candidates == 19
    assert set(done.finished_attempts().values()) == {1}


def test_a_candidate_that_diverges_is_a_result_and_no_failure_of_the_sweep(tmp_path: Path) -> None:
    def diverge(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        too_fast = trial.spec.candidate is not None and trial.spec.recipe.learning_rate > 1e-3
        return SimulatedAttempt(10.0, FailureKind.DIVERGED if too_fast else None, value=score(trial.spec))

    done = project(tmp_path)
    summary = done.run(diverge)
    assert (summary.failed, summary.finished) == (0, 8)
    record = sweep(done)
    for tuned in record.tuned.values():
        assert tuned.failed > 0
        assert tuned.candidates + tuned.failed == 12
        assert tuned.device_seconds == pytest.approx(120.0)
    assert done.run(diverge).attempts == 0


def test_where_all_candidates_fail_the_cell_is_refused_and_tried_again(tmp_path: Path) -> None:
    def broken(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        bad = trial.spec.candidate is not None and trial.spec.cell.domain == "clinical"
        return SimulatedAttempt(10.0, FailureKind.COLLAPSED if bad else None, value=score(trial.spec))

    done = project(tmp_path)
    summary = done.run(broken)
    assert (summary.finished, summary.candidates) == (6, 12 + 10)  # the first round says enough
    [reason] = summary.not_run
    assert "none of 10 candidates was scored (COLLAPSED 10)" in reason
    [refused] = sweep(done).refused
    assert (refused.cell.domain, refused.cell.method) == ("clinical", "lora-r8-tuned")
    assert not [name for name in done.finished_attempts() if "clinical/lora" in name]
    again = done.run(train)
    assert (again.candidates, again.finished, again.not_run) == (12, 2, ())
    assert sweep(done).refused == ()


def test_a_preempted_candidate_says_nothing_so_its_search_waits(tmp_path: Path) -> None:
    def unlucky(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        lost = trial.spec.candidate == 4 and trial.spec.cell.domain == "clinical"
        return SimulatedAttempt(10.0, FailureKind.PREEMPTED if lost else None, value=score(trial.spec))

    done = project(tmp_path)
    progress = Progress()
    summary = done.run(unlucky, notify=progress.update)
    assert (summary.finished, summary.candidates) == (6, 12 + 10)
    assert "lacks 3 candidates" in summary.not_run[0]
    assert (progress.waiting, progress.total, progress.finished) == (0, 6, 6)
    again = done.run(train)
    assert (again.candidates, again.finished, again.not_run) == (3, 2, ())


def test_longer_searches_reuse_what_was_tried(tmp_path: Path) -> None:
    done = project(tmp_path)
    done.run(train)
    done.keys = {"methods": ["full", {"name": "lora", "tune": TUNE | {"trials": 15}}]}
    summary = done.run(train)
    assert summary.candidates == 2 * 3
    assert len(sweep(done).candidates) == 2 * 15


def test_another_space_supersedes_what_was_tried(tmp_path: Path) -> None:
    done = project(tmp_path)
    done.run(train)
    done.keys = {"methods": ["full", {"name": "lora", "tune": {"space": {"learning_rate": [1e-4, 1e-3]}}}]}
    assert done.run(train).candidates == 2 * 2
    ledger = Ledger(done.sweep_directory)
    totals = totals_of(ledger.trials(), 0, [*ledger.candidates(), *ledger.removed()])
    [spent] = totals.spending
    assert spent.tuning == pytest.approx(2 * 2 * 10)
    assert spent.superseded == pytest.approx(2 * 12 * 10 + 4 * 10)  # the old search, and seeds of its winner
    done.keys = {"methods": ["full"]}
    done.run(train)
    totals = totals_of(ledger.trials(), 0, [*ledger.candidates(), *ledger.removed()])
    assert totals.spending[0].tuning == 0


def test_a_repeated_candidate_is_tried_once(tmp_path: Path) -> None:
    space = {"learning_rate": [1e-4, 3e-4, 1e-3], "alpha_ratio": [0.3, 0.5, 1.0], "rank": [4, 8]}
    done = project(tmp_path, methods=[{"name": "lora", "tune": {"trials": 17, "space": space}}])
    done.run(train)
    tried = [(o.trial.cell.name, o.trial.fingerprint) for o in orders(done, "tune-*").values()]
    assert len(set(tried)) == len(tried) == len(sweep(done).candidates) < 2 * 17


def test_candidates_never_look_at_test_and_their_fingerprint_says_so(tmp_path: Path) -> None:
    done = project(tmp_path)
    done.run(train)
    seeds = {order.trial.fingerprint for order in orders(done, "seed-*").values()}
    assert not seeds & {order.trial.fingerprint for order in orders(done, "tune-*").values()}
    for path in done.sweep_directory.rglob("tune-*/attempt-*/outcome.json"):
        outcome = json.loads(path.read_text())
        assert outcome["dev"]
        assert outcome["test"] == {}


def test_runs_are_published_with_the_record_they_belong_to(tmp_path: Path) -> None:
    board = Board([])
    done = project(tmp_path)
    done.run(train, board=board)
    states = dict(board.states)
    assert len(states) == 24 + 8
    assert set(states.values()) == {TrialState.FINISHED}
    assert board.sweeps[-1] == sweep(done)


def test_what_is_ahead_is_told_before_each_launch(tmp_path: Path) -> None:
    told = list[RunPlanned]()
    project(tmp_path).run(train, notify=lambda e: told.append(e) if isinstance(e, RunPlanned) else None)
    counts = [(sum(t.candidate is not None for t in e.trials), len(e.undrawn)) for e in told]
    assert counts == [(20, 4), (4, 0), (0, 0)]
    assert [len(e.trials) - c for e, (c, _) in zip(told, counts, strict=True)] == [8, 8, 8]


def test_values_that_do_not_go_together_are_found_before_anything_runs(tmp_path: Path) -> None:
    item = {"name": "lora", "tune": {"space": {"batch_size": [8, 32]}}}
    told = "would try batch_size 8: micro_batch_size: 16 does not divide batch_size 8"
    with pytest.raises(ConfigError, match=told):
        project(tmp_path, methods=[item], recipe={"micro_batch_size": 16, "batch_size": 32}).plan()
