"""Seconds and peak memory of planning grids of 1,000 to 10,000 cells: is the growth linear?

    python tests/bench/plan_10k.py

Each size is planned in a process of its own: a first plan, and one in which every trial has finished already.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.config import Inputs, load_sweep
from orchestrator.contracts.trial_history import FingerprintHistory, TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning import make_plan

SIZES = (1000, 2000, 5000, 10000)
SWEEP = """
name: bench
models: [tiny, mobile, distil, base]
domains: [general, biomedical, clinical]
methods: [{{name: lora, rank: {ranks}}}]
tasks: [ncbi-disease, bc5cdr-ner, bc5cdr-relation, mts-dialog]
seeds: [12]
"""
CELLS_A_RANK = 4 * 3 * 4


def measure(cells: int) -> dict[str, float]:
    """Plans a grid of at least `cells` cells, one seed each. Seconds, and its peak memory in MiB."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "bench.yaml")
        file.write_text(SWEEP.format(ranks=list(range(1, -(-cells // CELLS_A_RANK) + 1))), encoding="utf-8")
        started = time.perf_counter()
        sweep = load_sweep(file, cwd=Path(name))
        loaded = time.perf_counter()
    inputs = Inputs(
        data=dict.fromkeys(sweep.catalogue.tasks, "d"),
        weights={backbone.name: "w" for backbone in sweep.catalogue.backbones.values()},
        code="c",
        metrics="1",
    )
    plan = make_plan(sweep, inputs, {}, slots=2)
    first = time.perf_counter()
    done = FingerprintHistory(state=TrialState.FINISHED, wall_seconds=60.0, device_type="cpu")
    history = {
        trial.name: TrialHistory(by_fingerprint={trial.fingerprint: done}, last=plan.spec(trial))
        for trial in plan.trials
    }
    ready = time.perf_counter()
    again = make_plan(sweep, inputs, history, slots=2)
    ended = time.perf_counter()
    if again.to_run or len(again.up_to_date) != len(plan.to_run):
        raise RuntimeError("the second plan should have nothing to run")
    return {
        "cells": len(sweep.grid.cells),
        "load": loaded - started,
        "first": first - loaded,
        "again": ended - ready,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    print(f"{'cells':>7} {'load s':>8} {'plan s':>8} {'replan s':>9} {'ms a cell':>10} {'peak MiB':>9}")
    for size in SIZES:
        answer = subprocess.run(
            [sys.executable, __file__, str(size)], capture_output=True, text=True, check=True
        )
        found = json.loads(answer.stdout)
        each = 1000 * (found["load"] + found["first"]) / found["cells"]
        print(
            f"{found['cells']:>7} {found['load']:>8.2f} {found['first']:>8.2f} {found['again']:>9.2f} "
            f"{each:>10.3f} {found['peak']:>9.0f}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        main()
