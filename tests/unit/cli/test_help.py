"""What `frontier --help` loads, and in which order it lists the commands."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from orchestrator.cli.app import app


def test_the_list_of_commands_loads_no_library_but_typer() -> None:
    libraries = ("pydantic", "yaml", "kubernetes", "numpy", "ray", "mlflow", "torch", "orchestrator.config")
    code = f"import sys, orchestrator.cli.app; print([m for m in {libraries} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_the_daily_commands_first() -> None:
    words = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).output.split()
    commands = ["plan", "run", "status", "report", "ledger", "submit", "doctor", "backbone"]
    listed = [words[n + 1] for n, word in enumerate(words[:-1]) if word == "│" and words[n + 1] in commands]
    assert listed == commands
