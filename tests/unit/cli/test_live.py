"""What a running sweep prints, on a terminal and into a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orchestrator.cli.live import Display
from orchestrator.execution.launcher import DashboardReady
from orchestrator.execution.progress import Progress


@pytest.mark.parametrize("terminal", [True, False])
def test_the_token_of_the_dashboard_is_printed_on_a_terminal_only(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    with Display(console, Progress()) as display:
        display.update(DashboardReady("http://127.0.0.1:8265", "secret-of-the-cluster"))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "http://127.0.0.1:8265" in printed
    assert ("secret-of-the-cluster" in printed) is terminal
