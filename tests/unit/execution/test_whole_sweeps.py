"""Whole sweeps in virtual time: the real plan and ledger, no training."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config import Inputs, load_sweep
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.errors import LedgerError
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import LaunchEvent, TrialEnded, TrialOrder, Workplace
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.run import RunSummary, run_sweep
from orchestrator.execution.simulated_launcher import (
    Script,
    SimulatedAttempt,
    SimulatedLauncher,
    as_predicted,
)
from orchestrator.planning import Plan, make_plan
from orchestrator.tracking.ledger import Ledger

SWEEP = {
    "name": "virtual",
    "models": ["demo-tiny"],
    "domains": ["general", "clinical"],
    "methods": ["full", "lora"],
    "tasks": ["demo-outcome"],
    "seeds": [1, 2],
}


class DriverKilledError(Exception):
    """Stands for the end of the driver: nothing of ours runs after it."""


@dataclass
class Board:
    """Records what it is given to publish."""

    states: list[tuple[str, TrialState]]

    def publish(self, record: TrialRecord) -> bool:
        self.states.append((record.name, record.state))
        return True


@dataclass
class Project:
    """A sweep file and its ledger; each run reads both anew, as another process would."""

    root: Path
    places: int = 2

    @property
    def sweep_directory(self) -> Path:
        return self.root / "sweeps" / "virtual"

    def plan(self, **changes: object) -> Plan:
        path = self.root / "virtual.yaml"
        path.write_text(json.dumps({**SWEEP, **changes}))
        sweep = load_sweep(path, cwd=self.root)
        cells = sweep.grid.cells
        inputs = Inputs(
            data={c.task.spec.name: "d" for c in cells},
            weights={c.backbone.name: "w" for c in cells},
            code="c",
            metrics="1",
        )
        return make_plan(sweep, inputs, Ledger(self.sweep_directory).history(), slots=self.places)

    def run(
        self,
        script: Script = as_predicted,
        *,
        board: Board | None = None,
        notify: Callable[[LaunchEvent], None] = lambda event: None,
        plan: Plan | None = None,
    ) -> RunSummary:
        plan, clock = plan or self.plan(), VirtualClock()
        place = Workplace(self.sweep_directory, cache_dir=self.root / "cache")
        return run_sweep(
            plan,
            plan.record(written_at=clock.now(), frontier_version="0", provenance={}),
            ledger=Ledger(self.sweep_directory),
            launcher=SimulatedLauncher(place, RetryPolicy(), places=self.places, script=script, clock=clock),
            view=board,
            notify=notify,
            clock=clock,
        )

    def states(self) -> Counter[TrialState]:
        return Counter(record.state for record in Ledger(self.sweep_directory).trials())

    def finished_attempts(self) -> Counter[str]:
        outcomes = (json.loads(p.read_text()) for p in self.sweep_directory.rglob("outcome.json"))
        return Counter(o["trial"] for o in outcomes if o["state"] == "finished")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_runs_everything_once_then_nothing(project: Project) -> None:
    first, second = project.run(), project.run()
    assert (first.finished, first.failed, first.attempts, first.up_to_date) == (8, 0, 8, 0)
    assert (second.finished, second.attempts, second.up_to_date) == (0, 0, 8)
    assert set(project.finished_attempts().values()) == {1}


def test_wall_and_device_time_are_those_of_the_attempts(project: Project) -> None:
    summary = project.run(lambda trial, order: SimulatedAttempt(30.0))
    assert summary.wall_seconds == pytest.approx(8 * 30.0 / 2)
    assert summary.device_hours * 3600 == pytest.approx(8 * 30.0)


def test_a_killed_driver_loses_no_trial_and_repeats_none(project: Project) -> None:
    ended: list[str] = []

    def die_after_three(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded):
            ended.append(event.name)
            if len(ended) == 3:
                raise DriverKilledError

    with pytest.raises(DriverKilledError):
        project.run(notify=die_after_three)
    assert project.states()[TrialState.FINISHED] == 3
    summary = project.run()
    assert (summary.up_to_date, summary.finished) == (3, 5)
    assert set(project.finished_attempts().values()) == {1}


def test_the_run_after_a_kill_resumes_from_the_checkpoints(project: Project) -> None:
    def stuck(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        return SimulatedAttempt(10.0, FailureKind.PREEMPTED, checkpoint_step=50 * order.attempt)

    project.run(stuck)
    resumed: list[str | None] = []

    def note(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        resumed.append(order.resume_from)
        return as_predicted(trial, order)

    project.run(note)
    assert [Path(path).name for path in resumed if path] == ["step-150"] * 8


def test_an_interrupted_sweep_has_a_bill_for_each_attempt_and_goes_on(project: Project) -> None:
    def stop(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded) and event.state is TrialState.FINISHED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.run(notify=stop)
    assert project.states() == {TrialState.FINISHED: 1, TrialState.UNFINISHED: 1, TrialState.NEW: 6}
    assert len(list(project.sweep_directory.rglob("bill.json"))) == 2
    assert project.run().finished == 7


def test_every_trial_is_published_what_a_killed_driver_left_included(project: Project) -> None:
    def die(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded):
            raise DriverKilledError

    with pytest.raises(DriverKilledError):
        project.run(notify=die)
    board = Board([])
    project.run(board=board)
    last = dict(board.states)
    assert len(last) == 8
    assert set(last.values()) == {TrialState.FINISHED}


def test_adding_a_method_runs_its_cells_only(project: Project) -> None:
    project.run()
    summary = project.run(plan=project.plan(methods=["full", "lora", "ia3"]))
    assert (summary.up_to_date, summary.finished) == (8, 4)


def test_two_drivers_never_share_a_sweep(project: Project) -> None:
    def second_driver(event: LaunchEvent) -> None:
        project.run()

    with pytest.raises(LedgerError, match="another driver"):
        project.run(notify=second_driver)


FATES = st.sampled_from([None, *FailureKind])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fates=st.lists(FATES, min_size=1, max_size=40),
    seconds=st.lists(st.floats(0.1, 1e4), min_size=1, max_size=8),
    places=st.integers(1, 5),
    death=st.integers(1, 60),
)
def test_whatever_fails_no_trial_is_lost_or_done_twice(
    fates: list[FailureKind | None], seconds: list[float], places: int, death: int
) -> None:
    """Attempts meet their fates in turn, and the driver dies at the `death`-th event; then all goes well."""
    with tempfile.TemporaryDirectory() as directory:
        project, attempts, events = Project(Path(directory), places), 0, list[LaunchEvent]()

        def script(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
            nonlocal attempts
            attempts += 1
            return SimulatedAttempt(seconds[attempts % len(seconds)], fates[attempts % len(fates)])

        def die(event: LaunchEvent) -> None:
            events.append(event)
            if len(events) == death:
                raise DriverKilledError

        try:
            project.run(script, notify=die)
            survived = True
        except DriverKilledError:
            survived = False
        ended = Counter(event.name for event in events if isinstance(event, TrialEnded))
        assert set(ended.values()) <= {1}
        assert len(ended) == 8 or not survived
        done = project.states()[TrialState.FINISHED]
        summary = project.run()
        assert (summary.up_to_date, summary.finished, summary.failed) == (done, 8 - done, 0)
        assert project.finished_attempts() == Counter({t.name: 1 for t in project.plan().trials})
