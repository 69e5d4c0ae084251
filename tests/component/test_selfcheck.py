"""The checks for a GPU, as far as a machine without one can run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.contracts.child_processes import python_module, safe_environment
from orchestrator.contracts.gpus import visible_gpus

SELFCHECK = python_module("workers.selfcheck")
DOCTOR = [sys.executable, "-P", "-c", "from orchestrator.cli import main; main()", "doctor", "--gpu"]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=safe_environment(os.environ), capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(bool(visible_gpus()), reason="this machine has a GPU")
@pytest.mark.parametrize("command", [SELFCHECK, DOCTOR], ids=["selfcheck", "doctor"])
def test_without_a_gpu_it_says_so_and_ends_with_exit_code_3(command: list[str]):
    done = run(command)
    assert done.returncode == 3
    assert "has no NVIDIA GPU" in done.stderr
    assert "--rehearse" in done.stderr


def test_a_rehearsal_passes_what_needs_no_gpu_and_reaches_the_last_check(tmp_path: Path):
    done = run([*SELFCHECK, "--rehearse", "--out", str(tmp_path)])
    results = json.loads((tmp_path / "gpu-checks.json").read_text())
    verdicts = {check["number"]: (check["verdict"], check["problem"]) for check in results["checks"]}
    problems = {number: problem for number, (verdict, problem) in verdicts.items() if verdict == "left out"}
    bits = problems.pop("11", None)  # runs where bitsandbytes is installed
    assert bits in (None, "bitsandbytes is not installed")
    assert problems.pop("12") == "not built"
    assert set(problems.values()) == {"needs a GPU"}
    ran = {number: verdict for number, (verdict, _) in verdicts.items() if number not in problems}
    ran = {number: verdict for number, verdict in ran.items() if number not in ("11", "12")}
    assert ran == dict.fromkeys(("2", "3", "4", "5", "6", "7", "16"), "passed"), done.stdout
    assert done.returncode == 0
    page = (tmp_path / "gpu-checks.md").read_text()
    assert "CPU: a rehearsal" in page
    assert str(tmp_path) not in page + json.dumps(results)
