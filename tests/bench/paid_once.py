"""What is paid once: CPU-seconds of a sweep of one trial, of one with nothing to do, of --help and of plan.

    python tests/bench/paid_once.py [--repeats 3]

Whole process trees, in turns, medians. The demo's weights and data are made before the clock starts. The
gate: the trial has the same figures bit for bit whichever launcher ran it.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measure import Cost, interleave, run_measured
from same_figures import differences, finished
from table import ONE_THREAD, Row, arguments, finish

ROOT = Path(__file__).parents[2]
SWEEP = str(ROOT / "configs/sweeps/demo.yaml")
GRID = ["models=demo-tiny", "domains=clinical", "tasks=demo-outcome", "methods=lora-r8", "seeds=12"]
FRONTIER = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
TARGETS = {
    "one trial, Ray": 15.0,
    "one trial, --launcher local": None,
    "nothing to do": 2.0,
    "frontier plan": 0.8,
    "frontier --help": 0.4,
}


def call(work: Path, *words: str) -> Cost:
    with (work / "output.log").open("a") as log:
        environment = os.environ | ONE_THREAD
        return run_measured([*FRONTIER, *words], cwd=work, stdout=log, stderr=log, env=environment)


def one_trial(work: Path, name: str, launcher: str, repeat: int) -> Cost:
    """A sweep of its own each time, so that the trial is trained and its MLflow runs are written."""
    shutil.rmtree(work / "sweeps" / name, ignore_errors=True)
    return call(work, "run", SWEEP, *GRID, f"name={name}", "--launcher", launcher)


def gate(work: Path) -> str:
    ray, local = (finished(work / "sweeps", name) for name in ("of-ray", "of-local"))
    same = ray.keys() == local.keys() and not any(list(differences(ray[t], local[t])) for t in ray)
    return "" if ray and same else "the launchers' figures differ"


def main() -> None:
    given = arguments(__doc__, repeats=3).parse_args()
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as directory:
        work = Path(directory)
        subprocess.run([*FRONTIER, "stage", SWEEP, *GRID], cwd=work, check=True, stdout=subprocess.DEVNULL)
        again: Callable[[int], Cost] = lambda repeat: call(work, "run", SWEEP, *GRID, "name=of-local")  # noqa: E731
        costs = interleave(
            {
                "one trial, Ray": partial(one_trial, work, "of-ray", "ray"),
                "one trial, --launcher local": partial(one_trial, work, "of-local", "local"),
                "nothing to do": again,
                "frontier plan": lambda repeat: call(work, "plan", SWEEP, *GRID, "name=of-local"),
                "frontier --help": lambda repeat: call(work, "--help"),
            },
            given.repeats,
        )
        void = gate(work)
    rows = []
    for what, found in costs.items():
        median = statistics.median(cost.cpu_seconds for cost in found)
        rows.append(Row("a'", what, median, "CPU-s", TARGETS[what], void=void if "trial" in what else ""))
    finish(rows, given.rows)


if __name__ == "__main__":
    main()
