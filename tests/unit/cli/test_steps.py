"""How far a long step is, on a terminal and in a log, and which steps tell it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from rich.console import Console

from orchestrator.cli.results.report import report_of_ledger
from orchestrator.cli.session import open_session
from orchestrator.cli.staging_pace import StagingPace
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.sweep_files import shipped_sweeps
from orchestrator.config import load_catalogue
from orchestrator.config.corpus_digests import CorpusDigests
from orchestrator.contracts.requests import StagedShare
from orchestrator.execution.clock import VirtualClock
from orchestrator.units import byte_size


def test_a_step_tells_its_share_and_the_time_left_by_its_pace() -> None:
    clock = VirtualClock(100.0)
    steps = Steps(clock)
    assert steps.words() == ""
    at = steps.begin("cells planned")
    clock.advance_to(110.0)
    assert steps.words() == "cells planned: 10 s so far"
    at(0, 12)
    assert steps.words() == "0 of 12 cells planned after 10 s"
    clock.advance_to(120.0)
    at(3, 12)
    steps.doing = "to come: a, b"
    assert steps.words() == "3 of 12 cells planned after 20 s, about 60 s left; to come: a, b"
    clock.advance_to(150.0)
    assert ", about 30 s left" in steps.words()
    clock.advance_to(200.0)
    assert " left" not in steps.words()  # its pace is no longer true
    at(12, 12)
    steps.doing = ""
    assert steps.words() == "12 of 12 cells planned after 2 min"


def test_each_step_has_a_clock_of_its_own() -> None:
    clock = VirtualClock(100.0)
    steps = Steps(clock)
    steps.begin("records read")
    clock.advance_to(150.0)
    steps.begin("hashed", byte_size)
    steps.at(2**20, 2**21)
    assert steps.words() == "1.0 MiB of 2.0 MiB hashed after 0 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_has_a_bar_and_a_log_has_none(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    steps = Steps(VirtualClock())
    steps.begin("cells planned")
    steps.at(6, 12)
    with showing(console, steps):
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
    assert (opened.what, opened.doing) == ("checking corpora and weights", "demo-small-clinical, 7 of 7")
    console = Console(file=io.StringIO(), width=160)
    assert session.plan_aloud(console) is session.plan
    assert (session.steps.what, session.steps.total) == ("cells planned", 36)


def test_a_report_tells_how_far_it_is(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    steps = Steps()
    assert report_of_ledger(built.ledger, steps=steps) == report_of_ledger(built.ledger)
    assert (steps.what, steps.total) == ("tasks evaluated", 1)


def test_staging_counts_items_and_tells_the_time_left_by_its_weights() -> None:
    pace = StagingPace(["notes", "tiny", "small"], {"tiny", "small"}, "weights and corpora are ready")
    clock = pace.steps.clock = VirtualClock(100.0)
    pace.steps.begin("weights and corpora are ready")
    pace.ready("notes")
    clock.advance_to(110.0)
    pace.hear(StagedShare(item="tiny", share=0.5))
    said = "1 of 3 weights and corpora are ready after 10 s, about 30 s left; to come: tiny, small"
    assert pace.steps.words() == said


def test_a_corpus_that_is_hashed_is_told_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    for name in load_catalogue().tasks["ncbi-disease"].spec.reader.files.values():
        (tmp_path / name[0]).parent.mkdir(exist_ok=True)
        (tmp_path / name[0]).write_text(f"{name[0]}\tO\n" * 100)
    steps = Steps()
    only = [
        "models=demo-tiny",
        "domains=general",
        "methods=full",
        "tasks=ncbi-disease",
        f"data_dir={tmp_path}",
    ]
    open_session(shipped_sweeps()["demo"], only, steps=steps)
    assert steps.what == "hashed"
    assert steps.done == steps.total > 0
