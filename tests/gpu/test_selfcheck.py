"""The checks of `make check-gpu`, one test each."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.contracts.child_processes import python_module, safe_environment
from workers.selfcheck.checks import CHECKS
from workers.selfcheck.page import lines_of
from workers.selfcheck.results import CheckResult, CheckVerdict, Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckResult]:
    folder: Path = tmp_path_factory.mktemp("gpu-checks")
    command = python_module("workers.selfcheck", "--out", str(folder), "--minutes", "20")
    subprocess.run(command, env=safe_environment(os.environ), check=False)
    found = Results.model_validate_json((folder / "gpu-checks.json").read_bytes())
    return {check.number: check for check in found.checks}


@pytest.mark.parametrize("number", [check.number for check in CHECKS])
def test_it_passes(results: dict[str, CheckResult], number: str) -> None:
    found = results[number]
    if found.verdict is CheckVerdict.LEFT_OUT and not found.required:
        pytest.skip(found.problem or "left out")
    assert found.verdict is CheckVerdict.PASSED, "\n".join(lines_of(found))
