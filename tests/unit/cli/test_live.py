"""What a running sweep prints, on a terminal and into a file."""

from __future__ import annotations

import io

import pytest
from execution_fakes import make_trial
from rich.console import Console

from orchestrator.cli.run.live import Display
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import (
    DashboardReady,
    RunPlanned,
    Tick,
    TrialEnded,
    TrialLost,
    TrialOrder,
    TrialStarted,
    TrialWentOn,
)
from orchestrator.execution.progress import Progress


@pytest.mark.parametrize("terminal", [True, False])
def test_the_token_of_the_dashboard_is_printed_on_a_terminal_only(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    with Display(console, Progress()) as display:
        display.update(DashboardReady("http://127.0.0.1:8265", "secret-of-the-cluster"))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "http://127.0.0.1:8265" in printed
    assert ("secret-of-the-cluster" in printed) is terminal


def planned(order: TrialOrder) -> PlannedTrial:
    spec = order.spec
    return PlannedTrial(
        cell=spec.cell, seed=spec.seed, fingerprint=spec.fingerprint, resources=order.resources
    )


def test_a_lost_node_is_told_at_once_and_its_trial_waits() -> None:
    """The line before was said a second ago; nothing else is said before ten are over."""
    console = Console(file=io.StringIO(), force_terminal=False, width=160)
    order = make_trial("lost")
    with Display(console, Progress()) as display:
        display.update(RunPlanned((planned(order),)))
        display.update(TrialStarted(order.name, 0.0, "here"))
        display.update(TrialLost(order.name, 1.0))
        display.update(TrialWentOn(order.name, 2.0))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0/1 done, 1 running, 0.000 core-hours\n" in printed
    assert "0/1 done, 0 running, 1 waiting for another node, 0.000 core-hours\n" in printed


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_ahead_is_shown_at_once_and_how_long_the_start_takes(terminal: bool) -> None:
    console, clock = Console(file=io.StringIO(), force_terminal=terminal, width=160), VirtualClock(0.0)
    orders = [make_trial(task) for task in "ab"]
    ahead = tuple(planned(order).model_copy(update={"forecast_seconds": 25.0}) for order in orders)

    def printed() -> str:
        return str(console.file.getvalue())  # type: ignore[attr-defined]

    with Display(console, Progress(), clock=clock) as display:
        display.begin(RunPlanned(ahead))
        assert "0/2 done, 0 running, 0.000 core-hours, about 50 s left" in printed()
        display.update(RunPlanned(ahead))
        clock.advance_to(22.0)
        display.update(Tick(22.0))
        assert "about 50 s left, and the start, which has taken 22 s so far" in printed()
        display.update(TrialStarted(orders[0].name, 30.0, "here"))
        display.update(Tick(40.0))
        assert "about 40 s left\n" in printed()


def test_nothing_is_shown_where_nothing_is_ahead() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    with Display(console, Progress()) as display:
        display.begin(RunPlanned((), up_to_date=6))
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_what_earlier_runs_have_finished_counts_as_done() -> None:
    """A driver that was replaced goes on at 5/6, and not at 0/1."""
    console = Console(file=io.StringIO(), force_terminal=False, width=160)
    order = make_trial("last")
    left = planned(order)
    with Display(console, Progress()) as display:
        display.update(RunPlanned((left,), up_to_date=5))
        display.update(TrialStarted(order.name, 0.0, "here"))
        display.update(TrialEnded(order.name, 1.0, TrialState.FINISHED))
        display.update(RunPlanned((), up_to_date=6))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "5/6 done, 1 running" in printed
    assert "6/6 done, 0 running" in printed
    assert "0/1" not in printed
