"""Row 16: a sweep from plan to report, with the command line and the local launcher."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from orchestrator.config.catalogue import builtin_catalogue
from orchestrator.contracts.child_processes import safe_environment
from workers.selfcheck.results import CheckProblemError, Reading, at_most, equal
from workers.selfcheck.workspace import Workspace

_COMMAND = "from orchestrator.cli import main; main()"
_FROM_ELSEWHERE = ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")


def whole_sweep(workspace: Workspace) -> list[Reading]:
    """Run a part of the demo sweep. A rehearsal uses an untrained model and a few rows (`--smoke`)."""
    folder = workspace.of_check("16")
    seeds = workspace.sized([1, 2], [1])
    arguments = ["models=[demo-tiny]", "domains=[general]", "tasks=[demo-outcome]", f"seeds={seeds}"]
    arguments.append('methods=[{"name": "lora", "learning_rate": 4e-3}]')
    arguments.append(f"storage={json.dumps(str(folder / 'sweeps'))}")
    arguments.append("--smoke" if workspace.rehearsal else "resources={cpus: 2, gpus: 1}")
    command = (str(builtin_catalogue() / "sweeps" / "demo.yaml"), *arguments, "--launcher", "local", "--json")
    planned = None if workspace.rehearsal else _frontier(folder, "plan", *command, "--measure")
    _frontier(folder, "run", *command)
    [sweep] = [path for path in (folder / "sweeps").iterdir() if list(path.glob("report/report.html"))]
    outcomes = [json.loads(path.read_bytes()) for path in sweep.glob("trials/**/outcome.json")]
    finished = sum(outcome["state"] == "finished" for outcome in outcomes)
    figures = [equal("finished trials", float(finished), float(len(seeds)))]
    return figures if planned is None else [*figures, *_on_a_gpu(sweep, planned, outcomes)]


def _on_a_gpu(sweep: Path, planned: dict[str, Any], outcomes: list[dict[str, Any]]) -> list[Reading]:
    missing = sorted(
        {
            name
            for outcome in outcomes
            for name, origin in outcome["origins"].items()
            if origin["source"] == "missing" and name != "cpu_energy"  # few machines have this counter
        }
    )
    bills = [json.loads(path.read_bytes()) for path in sweep.glob("trials/**/bill.json")]
    billed = sum((bill["released_at"] - bill["allocated_at"]) * bill["devices"] for bill in bills) / 3600
    forecast = planned["forecast"]["device_hours"]
    return [
        equal("missing figures", ", ".join(missing) or "none", "none"),
        at_most("forecast and bill differ by a share of", abs(forecast / billed - 1), 0.25),
    ]


def _frontier(folder: Path, *arguments: str) -> Any:
    environment = {k: v for k, v in os.environ.items() if k not in _FROM_ELSEWHERE}
    done = subprocess.run(
        [sys.executable, "-P", "-c", _COMMAND, *arguments],
        cwd=folder,
        env=safe_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:])
        raise CheckProblemError(
            f"`frontier {arguments[0]}` ended with exit code {done.returncode}", "read its message below"
        )
    return json.loads(done.stdout)
