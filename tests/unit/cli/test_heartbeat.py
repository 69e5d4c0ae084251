"""What a driver writes into its log while nothing has ended yet."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from execution_fakes import make_trial
from rich.console import Console

from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.run.live import Display
from orchestrator.contracts import layout
from orchestrator.contracts.driver_lines import last_progress
from orchestrator.contracts.outcome import PhaseEvent, StepEvent
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import Phase, TrialState
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import RunPlanned, Tick, TrialEnded, TrialStarted
from orchestrator.execution.progress import Progress
from orchestrator.tracking.events import doing


@pytest.mark.parametrize("terminal", [True, False])
def test_a_log_hears_every_ten_seconds_how_far_it_is(terminal: bool) -> None:
    console, clock = Console(file=io.StringIO(), force_terminal=terminal, width=160), VirtualClock()
    told, beats = threading.Event(), iter([False, False, True])

    def wait(over: threading.Event, seconds: float) -> bool:
        clock.advance_to(clock.now() + seconds)
        found = next(beats)
        if found:
            told.set()
        return found

    with heartbeat(console, lambda seconds: f"1 of 2 after {seconds:.0f} s", clock, wait):
        assert terminal or told.wait(60)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    expected = "" if terminal else "staging: 1 of 2 after 10 s\nstaging: 1 of 2 after 20 s\n"
    assert printed == expected


def test_nothing_is_said_of_what_has_not_begun() -> None:
    console, words, beats = Console(file=io.StringIO(), width=160), iter(["", "1 of 2 MB"]), iter([False] * 2)
    told = threading.Event()

    def wait(over: threading.Event, seconds: float) -> bool:
        if next(beats, None) is None:
            told.set()
            return True
        return False

    with heartbeat(console, lambda seconds: next(words), VirtualClock(), wait, "fetching: "):
        assert told.wait(60)
    assert console.file.getvalue() == "fetching: 1 of 2 MB\n"  # type: ignore[attr-defined]


def test_followers_are_shown_the_newest_line_that_says_how_far_the_driver_is() -> None:
    log = "ours\nstaging: 1 of 2 weights and corpora are ready after 10 s; to come: b\n"
    assert last_progress(log) == log.splitlines()[1]
    counts = "  0/2 done, 1 running, 0.001 core-hours  first trial: load"
    assert last_progress(f"{log}{counts}\na table\n") == counts.strip()
    assert last_progress("ours\n") is None


def test_the_phases_of_the_first_trial_are_told_until_one_has_ended() -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=160)
    trials = [make_trial("first"), make_trial("second")]
    planned = tuple(
        PlannedTrial(cell=t.spec.cell, seed=t.spec.seed, fingerprint="f", resources=t.resources)
        for t in trials
    )
    phases = iter(["load", None, "train, step 5 of 10"])
    with Display(console, Progress(), lambda name: next(phases)) as display:
        display.update(RunPlanned(planned))
        display.update(TrialStarted(trials[0].name, 0.0, "here"))
        for at in (10.0, 20.0):
            display.update(Tick(at))
        display.update(TrialEnded(trials[0].name, 30.0, TrialState.FINISHED))
        display.update(TrialStarted(trials[1].name, 40.0, "here"))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    found = [line.partition("first trial: ")[2] for line in printed.splitlines()]
    assert found == ["load", "", "train, step 5 of 10", "", ""]


def test_what_an_attempt_does_is_read_from_its_events(tmp_path: Path) -> None:
    name = "tiny/general/full/outcome/seed-1"
    assert doing(tmp_path, name) is None
    attempt = layout.attempt_directory(tmp_path, name, 1)
    attempt.mkdir(parents=True)
    assert doing(tmp_path, name) is None
    for event, expected in (
        (PhaseEvent(at=1.0, phase=Phase.LOAD), "load"),
        (PhaseEvent(at=2.0, phase=Phase.TRAIN), "train"),
        (
            StepEvent(at=3.0, step=4, planned_steps=9, loss=1.0, learning_rate=1.0, tokens=1),
            "train, step 4 of 9",
        ),
        (PhaseEvent(at=4.0, phase=Phase.TEST), "test"),
    ):
        with (attempt / layout.EVENTS).open("a") as file:
            file.write(event.model_dump_json() + "\n")
        assert doing(tmp_path, name) == expected
