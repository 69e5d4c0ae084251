"""A demo-like sweep against what people run today, three ways.

    python tests/bench/demo_vs_trainer.py [--repeats 1] [--full | --long] [axis=value …]

a1: a Hugging Face Trainer script per cell, in a loop, as its documentation shows it. a2: the same Trainer in
trials of Ray Tune, as Ray's documentation shows them. a3: one Trainer process for all cells, with every cheap
knob set well. Same models, data, epochs, batch sizes and evaluation points. CPU-seconds of the whole process
trees, in turns, medians of ratios. `--full`: 24 trials instead of 6. `--long`: two trials with ten times the
epochs, where starting takes a small share. `--head`: eight seeds of head-only against a3 alone, row j.

The gate: the mean quality of each (domain, method, task) must agree with every baseline within the spread of
the seeds, else the figures are void. Weights and data are made before the clock starts.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

from measure import Cost, interleave, ratio, run_measured
from table import ONE_THREAD, Row, arguments, finish

from orchestrator.cli.session import Session
from orchestrator.config import digest_inputs, load_sweep
from orchestrator.contracts.trial import AttemptOrder

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
SWEEP = str(ROOT / "configs/sweeps/demo.yaml")
FRONTIER = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
SMALL = ["models=demo-tiny", "domains=clinical", "tasks=demo-outcome", "seeds=12,34"]  # 6 trials
FULL = ["models=demo-tiny", "domains=clinical", "tasks=demo-ner,demo-outcome", "seeds=12,34,56,78"]  # 24
LONG = ["models=demo-tiny", "domains=clinical", "tasks=demo-outcome", "methods=lora", "seeds=12,34"]
LONG += ["recipe.epochs=30"]
HEAD = ["models=demo-tiny", "domains=clinical", "tasks=demo-outcome", "methods=head-only", "recipe.epochs=5"]
HEAD += ["seeds=1,2,3,4,5,6,7,8"]
OURS = "frontier run"
LOOP = "a3 one tuned process"
TARGETS = {"a1 a Trainer script per cell": 5.0, "a2 Ray Tune and Trainer": 5.0, LOOP: 2.5}
Cell = tuple[str, str, str]
Qualities = dict[str, dict[Cell, list[float]]]  # by arm, by (domain, method, task)


def orders_of(work: Path, words: list[str], file: Path = ROOT / "configs/sweeps/demo.yaml") -> list[Path]:
    """One order per trial, as a worker would get it, with everything it needs made."""
    sweep = load_sweep(file, words, cwd=work)
    cache = work / "sweeps" / "cache"
    plan = Session(sweep, digest_inputs(sweep, cache)).plan
    orders = []
    for number, item in enumerate(plan.to_run):
        order = AttemptOrder(
            trial=plan.spec(item.trial),
            attempt=1,
            directory=str(work),
            data_dir=None if sweep.data_dir is None else str(sweep.data_dir),
            cache_dir=str(cache),
            ordered_at=0.0,
        )
        orders.append(work / f"order-{number}.json")
        orders[-1].write_text(order.model_dump_json())
    return orders


def ours(work: Path, words: list[str], qualities: Qualities, phases: dict[str, float], repeat: int) -> Cost:
    name = f"repeat{repeat}"
    with (work / f"{name}.log").open("w") as log:
        command = [*FRONTIER, "run", SWEEP, *words, f"name={name}"]
        cost = run_measured(command, cwd=work, stdout=log, stderr=log, env=os.environ | ONE_THREAD)
    for path in (work / "sweeps" / name / "trials").rglob("outcome.json"):
        outcome: dict[str, Any] = json.loads(path.read_text())
        _, domain, method, task, _ = outcome["trial"].split("/")
        qualities[OURS][domain, method, task].append(outcome["test"][outcome["metric"]]["value"])
        for phase, seconds in outcome["phases"].items():
            phases[phase] += seconds
    return cost


def theirs(arm: str, commands: list[list[str]], orders: list[Path], qualities: Qualities, _: int) -> Cost:
    """Run the commands one after another, as a shell loop would; their lines of JSON are in order."""
    total, lines = Cost(0.0, 0.0), list[str]()
    for command in commands:
        with tempfile.TemporaryFile("w+") as out:
            environment = {**ONE_THREAD, "TOKENIZERS_PARALLELISM": "false", "PATH": "/usr/bin:/bin"}
            environment["HOME"] = os.environ.get("HOME", "/")
            cost = run_measured(command, stdout=out, stderr=subprocess.DEVNULL, env=environment)
            out.seek(0)
            lines += [line for line in out.read().splitlines() if line.startswith('{"dev"')]
        total = Cost(total.cpu_seconds + cost.cpu_seconds, total.wall_seconds + cost.wall_seconds)
    for path, line in zip(orders, lines, strict=True):
        cell = AttemptOrder.model_validate_json(path.read_bytes()).trial.cell
        qualities[arm][cell.domain, cell.method, cell.task].append(json.loads(line)["test"])
    return total


def disagreement(mine: dict[Cell, list[float]], baseline: dict[Cell, list[float]]) -> str:
    """Return the cells whose means differ by more than twice the larger spread over seeds, and by more than
    0.05, where seeds hardly differ."""
    wrong = []
    for cell, scores in sorted(mine.items()):
        other = baseline[cell]
        spread = max(statistics.pstdev(scores), statistics.pstdev(other))
        difference = statistics.mean(scores) - statistics.mean(other)
        print(f"  {'/'.join(cell)}: {statistics.mean(scores):.3f} and {statistics.mean(other):.3f}")
        if abs(difference) > max(0.05, 2 * spread):
            wrong.append("/".join(cell))
    return f"quality differs in {', '.join(wrong)}" if wrong else ""


def main() -> None:
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--full", action="store_true", help="24 trials")
    parser.add_argument("--long", action="store_true", help="two trials of 30 epochs")
    parser.add_argument("--head", action="store_true", help="row j: eight seeds of head-only")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    words = given.words or (FULL if given.full else LONG if given.long else HEAD if given.head else SMALL)
    targets = {LOOP: 50.0} if given.head else TARGETS
    qualities: Qualities = defaultdict(lambda: defaultdict(list))
    phases: dict[str, float] = defaultdict(float)
    script, tune = str(HERE / "trainer_cell.py"), str(HERE / "trainer_tune.py")
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as name:
        work = Path(name)
        subprocess.run([*FRONTIER, "stage", SWEEP, *words], cwd=work, check=True, stdout=subprocess.DEVNULL)
        orders = orders_of(work, words)
        paths = list(map(str, orders))
        commands = {
            "a1 a Trainer script per cell": [[sys.executable, script, path] for path in paths],
            "a2 Ray Tune and Trainer": [[sys.executable, tune, *paths]],
            LOOP: [[sys.executable, script, "--tuned", *paths]],
        }
        print(f"{len(orders)} trials, {given.repeats} repeats")
        arms = {arm: partial(theirs, arm, commands[arm], orders, qualities) for arm in targets}
        costs = interleave({**arms, OURS: partial(ours, work, words, qualities, phases)}, given.repeats)
    rows = []
    row, kind = ("j", "head-only ") if given.head else ("a", "long ") if given.long else ("a", "")
    for arm, target in targets.items():
        void = disagreement(qualities[OURS], qualities[arm])
        what = f"{len(orders)} {kind}trials against {arm}"
        rows.append(
            Row(row, what, ratio(costs[arm], costs[OURS]), "x less", target, at_most=False, void=void)
        )
    total = sum(phases.values())
    print("our phases: " + ", ".join(f"{k} {v / total:.0%}" for k, v in sorted(phases.items())))
    for phase in () if given.head else ("evaluate", "serve"):
        share = 100 * phases[phase] / total if phase in phases else None
        rows.append(Row("i", f"share of {phase} in the phases of a trial", share, "%", 6.0))
    finish(rows, given.rows)


if __name__ == "__main__":
    main()
