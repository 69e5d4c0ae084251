"""How `make` ends when the command that it runs was interrupted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _make(target: str, exit_code: int, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a target with a `frontier` that says one line and exits, and without its set-up."""
    fake = tmp_path / "frontier"
    fake.write_text(f"#!/bin/sh\necho frontier: its last line >&2\nexit {exit_code}\n")
    fake.chmod(0o755)
    return subprocess.run(
        ["make", "--old-file=setup", target, f"BIN={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize("target", ["sweep", "plan", "report", "ui"])
def test_an_interrupted_command_has_the_last_word(target: str, tmp_path: Path) -> None:
    done = _make(target, 130, tmp_path)
    assert done.stderr == "frontier: its last line\n"
    assert done.returncode in (130, -2)  # as a shell says it, or as the signal


def test_a_command_that_failed_ends_make_with_its_error(tmp_path: Path) -> None:
    done = _make("sweep", 1, tmp_path)
    assert "Error 1" in done.stderr
    assert done.returncode == 2
