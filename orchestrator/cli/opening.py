"""A sweep file opened for somebody who waits: hashing what it reads may take minutes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.session import Session, open_session
from orchestrator.cli.steps import Steps, showing


def open_aloud(config: Path, overrides: Sequence[str], console: Console, *, smoke: bool = False) -> Session:
    """`open_session`, which shows what it hashes, and how far it is."""
    with showing(console, Steps()) as steps:
        return open_session(config, overrides, smoke=smoke, steps=steps)
