"""`frontier ledger`, through the front door."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts.vocabulary import FailureKind, Phase

THIRD = 100 / 3  # seconds: no two of the shown cells are round


@pytest.fixture
def sweep(tmp_path: Path) -> str:
    built = LedgerBuilder(tmp_path)
    first, second, third = built.plan(["tiny"], ["general"], ["full"])
    work = {
        "work": {
            Phase.TRAIN: {
                "tokens": 4_000,
                "flops": 2e12,
                "gpu_joules": 7.2e6,
                "peak_host_memory_bytes": 2**30,
            }
        },
        "origins": {"gpu_energy": {"source": "measured", "by": "NVML total energy counter"}},
        "saved_bytes": 1_000,
    }
    built.attempt(first, Fate(seconds=THIRD, failure=FailureKind.BUG))
    built.attempt(first, Fate(seconds=2 * THIRD, quality=0.5, outcome=work))
    built.attempt(second, Fate(seconds=THIRD, fingerprint="0" * 16, quality=0.5))
    built.attempt(second, Fate(seconds=THIRD, failure=FailureKind.PREEMPTED))
    built.attempt(second, Fate(seconds=7.0, failure=FailureKind.DIVERGED))
    built.attempt(third, Fate(seconds=11.0, bill=False))
    return str(built.ledger.directory)


def ran(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["ledger", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def test_rows_and_columns_of_the_table_agree_to_the_last_digit(sweep: str) -> None:
    printed = ran(sweep)
    head, *lines = printed.splitlines()
    assert head.strip() == "made-up: core-hours on cpu"
    columns = lines[0].split()
    assert columns == [
        "phase",
        "useful",
        "overhead",
        "failed",
        "preempted",
        "unfinished",
        "superseded",
        "all",
    ]
    rows = []
    for line in lines[1:]:
        found = re.findall(r"-(?= |$)|\d+\.\d{6}", line)
        if len(found) == len(columns) - 1:
            rows.append([0 if cell == "-" else round(float(cell) * 1e6) for cell in found])
    *body, total = rows
    assert len(body) == 6  # start, load, train, evaluate, test, none
    for row in rows:
        assert sum(row[:-1]) == row[-1]
    for column, whole in zip(zip(*body, strict=True), total, strict=True):
        assert sum(column) == whole
    assert "is in no phase" in printed
    assert "estimated" in printed
    assert "2.000000" in printed  # kWh
    assert "gpu energy: measured in 1 attempts: NVML total energy counter" in printed


def test_the_figures_are_exact(sweep: str) -> None:
    [found] = json.loads(ran(sweep, "--json"))["devices"]
    billed = found["billed_device_microseconds"]
    assert sum(found["by_use"].values()) == sum(found["by_phase"].values()) == billed
    assert sum(entry["device_microseconds"] for entry in found["booked"]) == billed
    assert found["by_use"]["useful"] == 60_000_000
    assert found["by_use"]["failed"] == 33_333_333 + 7_000_000
    assert found["by_use"]["preempted"] == found["by_use"]["superseded"] == 33_333_333
    assert found["attempts"] == 6
    assert found["attempts_with_estimated_phases"] == 1
    assert found["attempts_without_figures"] == 5
    assert found["work"]["train"]["flops"] == 2e12
    [source] = found["sources"]
    assert (source["figure"], source["source"], source["attempts"]) == ("gpu_energy", "measured", 1)
    assert found["saved_bytes"] == 1_000


def test_what_it_took_to_start_attempts_is_said_for_one(sweep: str) -> None:
    [found] = json.loads(ran(sweep, "--json"))["devices"]
    start = found["by_phase"]["start"]
    assert start
    each = f"{start / 1e6 / 6:.1f} core-seconds per attempt"
    share = f"{start / found['billed_device_microseconds']:.0%}"
    assert f"{share} of what was billed went into starting attempts: {each}." in ran(sweep)


def test_a_sweep_that_billed_nothing_says_so(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny"], ["general"], ["full"])
    assert "nothing has been billed yet" in ran(str(built.ledger.directory))
