"""What it costs to run a sweep again after one of its N cells was changed.

    python tests/bench/rerun.py [--repeats 3] [--cells 6]

A sweep of N LoRA cells, one seed each, runs to its end; then the learning rate of one is changed, and it runs
again. CPU-seconds of the whole process trees, in turns, medians of ratios. The gate: the second run trains
one trial, leaves the records of the others byte for byte as they were, and they are in its report.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path

from demo_vs_trainer import FRONTIER
from measure import Cost, interleave, run_measured
from table import ONE_THREAD, Row, arguments, finish

SWEEP = """
name: rerun
models: [demo-tiny]
domains: [clinical]
methods:
{methods}
tasks: [demo-outcome]
seeds: [12]
recipe: {{epochs: {epochs}, batch_size: 16}}
resources: {{cpus: 1}}
"""
EPOCHS = 10


def write_sweep(work: Path, cells: int, changed: float = 4e-3) -> None:
    rates = [4e-3] * (cells - 1) + [changed]
    methods = [f"  - {{name: lora, rank: {i}, learning_rate: {rate}}}" for i, rate in enumerate(rates, 1)]
    (work / "rerun.yaml").write_text(SWEEP.format(methods="\n".join(methods), epochs=EPOCHS))


def run(work: Path, launcher: str) -> Cost:
    command = [*FRONTIER, "run", "rerun.yaml", "--launcher", launcher]
    with (work / "output.log").open("a") as log:
        return run_measured(command, cwd=work, stdout=log, stderr=log, env=os.environ | ONE_THREAD)


def first(work: Path, cells: int, launcher: str, _: int) -> Cost:
    shutil.rmtree(work / "sweeps" / "rerun", ignore_errors=True)
    write_sweep(work, cells)
    return run(work, launcher)


def again(work: Path, cells: int, launcher: str, wrong: list[str], _: int) -> Cost:
    before = outcomes(work)
    write_sweep(work, cells, changed=3e-3)
    cost = run(work, launcher)
    after = outcomes(work)
    if len(before) != cells or len(after) != cells + 1 or before.items() - after.items():
        wrong.append(f"{len(before)} attempts before, {len(after)} after, or records have changed")
    return cost


def outcomes(work: Path) -> dict[str, bytes]:
    """Return what each attempt has left, by its path."""
    return {str(path): path.read_bytes() for path in (work / "sweeps" / "rerun").rglob("outcome.json")}


def main() -> None:
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--cells", type=int, default=6)
    parser.add_argument("--launcher", choices=("ray", "local"), default="local")
    given = parser.parse_args()
    cells, launcher = given.cells, given.launcher
    wrong = list[str]()
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as directory:
        work = Path(directory)
        first(work, 1, launcher, 0)  # makes weights and data
        arms = {
            "all cells": partial(first, work, cells, launcher),
            "one changed": partial(again, work, cells, launcher, wrong),
        }
        costs = interleave(arms, given.repeats)
    pairs = zip(costs["one changed"], costs["all cells"], strict=True)
    shares = [changed.cpu_seconds / whole.cpu_seconds for changed, whole in pairs]
    what = f"a rerun with one changed cell of {cells}"
    finish(
        [Row("k", what, statistics.median(shares), "of the first", 1 / cells + 0.01, void="; ".join(wrong))],
        given.rows,
    )


if __name__ == "__main__":
    main()
