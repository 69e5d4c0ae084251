"""A trial that is killed again and again on a virtual clock: its result costs what it costs undisturbed, and
every microsecond that was billed is booked once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from execution_fakes import make_outcome, make_trial
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts import layout
from orchestrator.contracts.ledger import TrialRecord, Use
from orchestrator.contracts.outcome import PhaseEvent, PhaseSeconds, StartEvent
from orchestrator.contracts.phase_work import PhaseWork, add_work
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase, Source, TrialState
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import TrialOrder, Workplace
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.simulated_launcher import SimulatedAttempt, SimulatedLauncher
from orchestrator.tracking.bookings import bookings_of
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.sweep_costs import statements
from workers.metering.meter import Meter, Work, add_phases

STEPS, STEP, EVERY = 40, 1.5, 10  # seconds a step; dev is scored every so many steps
LASTS = {Phase.START: 2.0, Phase.TOKENISE: 3.0, Phase.LOAD: 1.0, Phase.EVALUATE: 4.0, Phase.TEST: 5.0}
SAVING, LEAVING, TOKENS = 0.75, 0.25, 100  # seconds; seconds; tokens a step
RESULT = {
    Phase.LOAD: 1.0,
    Phase.TRAIN: STEPS * STEP,
    Phase.EVALUATE: 16.0,
    Phase.TEST: 5.0,
}


class KilledError(Exception):
    """The clock has reached the end of a life."""


@dataclass
class Tokens:
    """A gauge."""

    passed: int = 0

    def lap(self) -> dict[str, float | None]:
        passed, self.passed = self.passed, 0
        return {"tokens": passed}


@dataclass
class Worker:
    """Does what an attempt does, in no time: the real meter, events, checkpoints and outcome."""

    lives: list[float]  # seconds until each attempt is killed; those after the last live on
    saves_every: int  # steps
    saved: dict[str, tuple[PhaseSeconds, Work]] = field(default_factory=dict)  # by checkpoint

    def __call__(self, trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        life = self.lives[order.attempt - 1] if order.attempt <= len(self.lives) else float("inf")
        return _Life(self, order, life).live()


class _Life:
    def __init__(self, worker: Worker, order: AttemptOrder, life: float) -> None:
        self.worker, self.order, self.end = worker, order, order.ordered_at + life
        self.now, self.tokens, self.newest = order.ordered_at, Tokens(), None
        self.inherited, self.inherited_work = worker.saved.get(str(order.resume_from), ({}, {}))
        self.lines: list[str] = []
        self.meter = Meter(lambda: self.now, on_phase=self._began)
        self.meter.start_with(self.tokens)

    def _began(self, phase: Phase) -> None:
        self.lines.append(PhaseEvent(at=self.now, phase=phase).model_dump_json())

    def _pass(self, seconds: float) -> None:
        if self.now + seconds > self.end:
            self.now = self.end
            raise KilledError
        self.now += seconds

    def _phase(self, phase: Phase) -> None:
        self.meter.enter(phase)
        self._pass(LASTS[phase])

    def live(self) -> SimulatedAttempt:
        directory = Path(self.order.directory)
        try:
            self._work()
            outcome = make_outcome(self.order, at=self.now).model_copy(
                update={
                    "phases": self.meter.seconds(),
                    "inherited_phases": self.inherited,
                    "work": self.meter.work(),
                    "inherited_work": self.inherited_work,
                }
            )
            self._pass(LEAVING)
            (directory / layout.OUTCOME).write_text(outcome.model_dump_json())
        except KilledError:
            pass
        (directory / layout.EVENTS).write_text("\n".join(self.lines))
        return SimulatedAttempt(
            self.now - self.order.ordered_at, failure=FailureKind.PREEMPTED, checkpoint_step=self.newest
        )

    def _work(self) -> None:
        self._pass(LASTS[Phase.START])
        start = StartEvent(at=self.now, attempt=self.order.attempt, inherited_phases=self.inherited)
        self.lines.append(start.model_dump_json())
        self._phase(Phase.TOKENISE)
        self._phase(Phase.LOAD)
        self.meter.enter(Phase.TRAIN)
        done = int(self.order.resume_from.rsplit("-", 1)[1]) if self.order.resume_from else 0
        for step in range(done + 1, STEPS + 1):
            self._pass(STEP)
            self.tokens.passed += TOKENS
            if step % EVERY == 0:
                with self.meter.within(Phase.EVALUATE):
                    self._pass(LASTS[Phase.EVALUATE])
            if step % self.worker.saves_every == 0:
                with self.meter.within(Phase.CHECKPOINT):
                    self._save(step)
        self._phase(Phase.TEST)

    def _save(self, step: int) -> None:
        phases = add_phases(self.inherited, self.meter.seconds())
        work = add_work(self.inherited_work, self.meter.work())
        self._pass(SAVING)
        self.newest = step
        place = Path(self.order.directory) / layout.CHECKPOINTS / f"step-{step}"
        self.worker.saved[str(place)] = phases, work


def lived(root: Path, lives: list[float], saves_every: int, cpus: int) -> TrialRecord:
    trial, worker = make_trial("a", cpus=cpus), Worker(lives, saves_every)
    launcher = SimulatedLauncher(
        Workplace(root / "sweep", cache_dir=root / "cache"),
        RetryPolicy(preemptions=len(lives)),
        slots=1,
        script=worker,
        clock=VirtualClock(),
    )
    launcher.run([trial], lambda event: None)
    planned = PlannedTrial(
        cell=trial.spec.cell,
        seed=trial.spec.seed,
        fingerprint=trial.spec.fingerprint,
        resources=trial.resources,
    )
    return Ledger(root / "sweep").trial(planned)


@given(
    lives=st.lists(st.floats(0.01, 120, allow_nan=False), max_size=6),
    saves_every=st.integers(1, 60),
    cpus=st.integers(1, 3),
)
def test_whatever_is_killed_when_a_result_costs_what_it_costs_undisturbed(lives, saves_every, cpus):
    with TemporaryDirectory() as directory:
        record = lived(Path(directory), lives, saves_every, cpus)
        assert record.state is TrialState.FINISHED
        books = bookings_of(record.attempts, record.planned.fingerprint, record.state)
        [statement] = statements([record])
    useful: Counter[Phase | None] = Counter()
    for booking in books:
        if booking.use is Use.USEFUL:
            useful[booking.phase] += booking.microseconds
    grain = 4 * len(record.attempts)  # microseconds: each boundary of an attempt is rounded once
    for phase, seconds in RESULT.items():
        assert useful[phase] == pytest.approx(cpus * seconds * 1e6, abs=grain)
    assert useful.keys() == RESULT.keys()  # however often it was saved

    billed = [a.bill.released_at - a.bill.allocated_at for a in record.attempts]
    assert sum(b.microseconds for b in books) == sum(round(seconds * cpus * 1e6) for seconds in billed)
    assert statement.total() == sum(b.microseconds for b in books)
    assert sum(map(statement.total, Use)) == statement.total()
    assert statement.unexplained + sum(statement.total(phase=p) for p in Phase) == statement.total()
    assert statement.unexplained == pytest.approx(cpus * LEAVING * 1e6, abs=grain)
    assert record.outcome.result_work.tokens == STEPS * TOKENS
    assert record.outcome.result_phases.keys() == RESULT.keys()


def test_a_killed_attempt_still_tells_what_it_spent_its_time_on(tmp_path):
    record = lived(tmp_path, [20.0], saves_every=5, cpus=2)
    killed, finisher = record.attempts
    assert killed.phases_source is Source.ESTIMATED
    assert finisher.phases_source is Source.MEASURED
    assert killed.phases == pytest.approx(
        {Phase.START: 2.0, Phase.TOKENISE: 3.0, Phase.LOAD: 1.0, Phase.TRAIN: 13.25, Phase.CHECKPOINT: 0.75}
    )
    [statement] = statements([record])
    # Of 13.25 s of training the 7.5 until the checkpoint were carried over.
    assert statement.booked[Phase.TRAIN, Use.PREEMPTED] == 2 * 5_750_000
    assert statement.booked[Phase.CHECKPOINT, Use.OVERHEAD] == 2 * 7 * 750_000  # saves of the finisher
    assert (Phase.CHECKPOINT, Use.USEFUL) not in statement.booked
    assert statement.booked[Phase.LOAD, Use.PREEMPTED] == 2 * 1_000_000
    assert statement.booked[Phase.LOAD, Use.USEFUL] == 2 * 1_000_000
    assert PhaseWork(tokens=3_500).tokens == finisher.outcome.work[Phase.TRAIN].tokens
    assert finisher.outcome.inherited_work[Phase.TRAIN].tokens == 500
