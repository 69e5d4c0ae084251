"""`frontier logs`: what the attempts of a cell recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts import layout
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import ConfigError

CELL = "tiny/general/full/outcome"


@pytest.fixture(autouse=True)
def _sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = LedgerBuilder(Path("sweeps"), "demo")
    first, second = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2])
    built.attempt(first, Fate(failure=FailureKind.OUT_OF_MEMORY))
    built.attempt(first, Fate(quality=0.8, resumed_from_step=10))
    built.attempt(second, Fate(bill=False))


def _said(*words: str) -> str:
    return CliRunner().invoke(app, ["logs", "demo", *words], catch_exceptions=False).output


def test_each_attempt_of_each_trial_of_a_cell_is_told() -> None:
    said = _said(CELL)
    assert f"{CELL}/seed-1 finished" in said
    assert f"{CELL}/seed-2 unfinished" in said
    assert "OUT_OF_MEMORY in train: RuntimeError" in said
    assert "start, resumed from step 10" in said
    assert "dev at step 20: macro_f1 0.400, the best so far" in said
    assert "finished: 30 steps" in said
    assert "no end is recorded" in said


@pytest.mark.parametrize("name", [f"{CELL}/seed-1", f"sweeps/demo/trials/{CELL}/seed-1/"])
def test_one_trial_can_be_named_as_well_and_by_its_path(name: str) -> None:
    (trial,) = json.loads(_said(name, "--json"))
    assert trial["trial"] == f"{CELL}/seed-1"
    assert [attempt["outcome"] for attempt in trial["attempts"]] == ["failed", "finished"]
    assert trial["attempts"][0]["failure"]["kind"] == "OUT_OF_MEMORY"
    assert {event["event"] for event in trial["attempts"][1]["events"]} == {
        "start",
        "phase",
        "step",
        "evaluation",
    }


def test_steps_in_a_row_are_one_line_unless_every_step_is_asked_for() -> None:
    events = next(Path("sweeps").rglob(f"seed-2/*/{layout.EVENTS}"))
    step = next(line for line in events.read_text().splitlines() if '"step":10,' in line)
    events.write_text("".join(f"{step.replace(':10,', f':{n},')}\n" for n in range(1, 6)))
    assert _said(f"{CELL}/seed-2").count("step ") == 1
    assert _said(f"{CELL}/seed-2", "--steps").count("step ") == 5


def test_what_libraries_printed_is_named_and_not_shown() -> None:
    attempt = next(Path("sweeps").rglob("seed-1/attempt-001"))
    (attempt / layout.SENSITIVE).mkdir()
    (attempt / layout.SENSITIVE / "output.rank-0.log").write_text("Mr Smith has a fever")
    said = _said(CELL).replace("\n", "")
    assert "Smith" not in said
    assert "what libraries printed may quote the data" in said


def test_an_unknown_cell_is_answered_with_the_closest() -> None:
    with pytest.raises(ConfigError, match=rf"did you mean '{CELL}'"):
        _said("tiny/general/ful/outcome")
