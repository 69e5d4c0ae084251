"""A sweep file opened for somebody who waits: hashing what it reads may take minutes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.session import Session, open_session
from orchestrator.units import duration


def open_aloud(config: Path, overrides: Sequence[str], console: Console, *, smoke: bool = False) -> Session:
    """`open_session`, which tells what it hashes, and how far it is."""
    begun = ["corpora and weights"]

    def words(seconds: float) -> str:
        return f"hashing {begun[-1]}; {duration(seconds)} so far"

    with console.status("hashing corpora and weights"), heartbeat(console, words):
        return open_session(config, overrides, smoke=smoke, at=begun.append)
