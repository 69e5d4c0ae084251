"""How far a long step is, on a terminal and in a log, and which steps tell it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from rich.console import Console

from orchestrator.cli.results.report import build
from orchestrator.cli.session import open_session
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.sweep_files import shipped_sweeps
from orchestrator.config.corpus_digests import CorpusDigests
from orchestrator.execution.clock import VirtualClock
from orchestrator.units import byte_size


def test_a_step_tells_its_share_and_the_time_left_by_its_pace() -> None:
    steps = Steps()
    assert steps.words(100.0) == ""
    at = steps.begin("cells planned")
    assert steps.words(100.0) == "cells planned: 0 s so far"
    at(0, 12)
    assert steps.words(110.0) == "0 of 12 cells planned after 10 s"
    at(3, 12)
    steps.doing = "to come: a, b"
    assert steps.words(120.0) == "3 of 12 cells planned after 20 s, about 60 s left; to come: a, b"
    at(12, 12)
    steps.doing = ""
    assert steps.words(180.0) == "12 of 12 cells planned after 80 s"


def test_each_step_has_a_clock_of_its_own() -> None:
    steps = Steps()
    steps.begin("records read")
    steps.words(100.0)
    steps.begin("hashed", 2**20, byte_size)
    assert steps.words(150.0) == "0 B of 1.0 MiB hashed after 0 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_has_a_bar_and_a_log_has_none(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    steps = Steps()
    steps.begin("cells planned")
    steps.at(6, 12)
    with showing(console, steps, clock=VirtualClock()):
        pass
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("━" in printed) is terminal
    assert ("6 of 12 cells planned after 0 s" in printed) is terminal


def test_hashing_tells_the_bytes_that_it_reads_and_those_that_it_must(tmp_path: Path) -> None:
    corpus, pieces = tmp_path / "corpus", list[int]()
    corpus.mkdir()
    for name in ("a", "b"):
        (corpus / name).write_bytes(b"x" * 1000)
    digests = CorpusDigests(None, pieces.append)
    assert digests.unread(corpus) == 2000
    assert digests.of(corpus) == CorpusDigests(None).of(corpus)
    assert sum(pieces) == 2000
    assert digests.unread(corpus) == 0
    assert digests.unread(tmp_path / "missing") == 0


def test_opening_and_planning_tell_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened = Steps()
    session = open_session(shipped_sweeps()["demo"], ["seeds=1"], steps=opened)
    assert (opened.what, opened.doing) == ("hashed", "demo-small-clinical, 7 of 7")
    console = Console(file=io.StringIO(), width=160)
    assert session.plan_aloud(console) is session.plan
    assert (session.steps.what, session.steps.total) == ("cells planned", 36)


def test_a_report_tells_how_far_it_is(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    steps = Steps()
    assert build(built.ledger, steps=steps) == build(built.ledger)
    assert (steps.what, steps.total) == ("tasks evaluated", 1)
