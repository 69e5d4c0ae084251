"""A demo-like sweep against one Hugging Face Trainer script a cell.

    python tests/bench/demo_vs_trainer.py [--repeats 3] [axis=value …]

Same models, data, epochs, batch sizes and evaluation points. CPU-seconds of the whole process trees,
interleaved, ratio of medians. A gate: the mean quality of each (domain, method, task) must agree between the
arms within the spread of the seeds, else the figure is void. Prints where our time goes. Weights and data are
made before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from measure import Cost, interleave, report, run_measured

from orchestrator.cli.session import Session
from orchestrator.config import digest_inputs, load_sweep
from orchestrator.contracts.trial import AttemptOrder

ROOT = Path(__file__).parents[2]
GRID = ["models=demo-tiny", "domains=clinical", "tasks=demo-ner,demo-outcome", "seeds=12,34"]  # 12 trials
Qualities = dict[tuple[str, str, str], list[float]]


def orders_of(work: Path, words: list[str]) -> list[Path]:
    """One order a trial, as a worker would get it, with everything it needs made."""
    sweep = load_sweep(ROOT / "configs/sweeps/demo.yaml", words, cwd=work)
    cache = work / "sweeps" / "cache"
    plan = Session(sweep, digest_inputs(sweep, cache)).plan
    found = []
    for place, item in enumerate(plan.to_run):
        order = AttemptOrder(
            trial=plan.spec(item.trial), attempt=1, directory=str(work), cache_dir=str(cache), ordered_at=0.0
        )
        found.append(work / f"order-{place}.json")
        found[-1].write_text(order.model_dump_json())
    return found


def ours(work: Path, words: list[str], repeat: int, qualities: Qualities, phases: dict[str, float]) -> Cost:
    name = f"repeat{repeat}"
    log = (work / f"{name}.log").open("w")
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()", "run"]
    command += [str(ROOT / "configs/sweeps/demo.yaml"), *words, f"name={name}"]
    cost = run_measured(command, cwd=work, stdout=log, stderr=log)
    for path in (work / "sweeps" / name / "trials").rglob("outcome.json"):
        outcome: dict[str, Any] = json.loads(path.read_text())
        _, domain, method, task, _ = outcome["trial"].split("/")
        qualities[domain, method, task].append(outcome["test"][outcome["metric"]]["value"])
        for phase, seconds in outcome["phases"].items():
            phases[phase] += seconds
    return cost


def theirs(orders: list[Path], qualities: Qualities) -> Cost:
    """One process a cell, one after another, as a shell loop would."""
    total = Cost(0.0, 0.0)
    for path in orders:
        order = AttemptOrder.model_validate_json(path.read_bytes())
        with tempfile.TemporaryFile("w+") as out:
            command = [sys.executable, str(Path(__file__).with_name("trainer_cell.py")), str(path)]
            environment = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PATH": "/usr/bin:/bin"}
            cost = run_measured(command, stdout=out, stderr=subprocess.DEVNULL, env=environment)
            out.seek(0)
            cell = order.trial.cell
            found = json.loads(out.read().splitlines()[-1])["test"]
            qualities[cell.domain, cell.method, cell.task].append(found)
        total = Cost(total.cpu_seconds + cost.cpu_seconds, total.wall_seconds + cost.wall_seconds)
    return total


def gate(mine: Qualities, baseline: Qualities) -> bool:
    """Means agree within twice the larger spread over seeds, or within 0.05 where seeds hardly differ."""
    agree = True
    for cell, found in sorted(mine.items()):
        other = baseline[cell]
        spread = max(statistics.pstdev(found), statistics.pstdev(other))
        difference = statistics.mean(found) - statistics.mean(other)
        fine = abs(difference) <= max(0.05, 2 * spread)
        agree &= fine
        mark = "" if fine else "  DISAGREE"
        means = f"ours {statistics.mean(found):.3f}, theirs {statistics.mean(other):.3f}"
        print(f"  {'/'.join(cell)}: {means}{mark}")
    return agree


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("words", nargs="*", default=GRID)
    arguments = parser.parse_args()
    mine: Qualities = defaultdict(list)
    baseline: Qualities = defaultdict(list)
    phases: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as name:
        work = Path(name)
        stage = [sys.executable, "-c", "from orchestrator.cli import main; main()", "stage"]
        sweep = str(ROOT / "configs/sweeps/demo.yaml")
        subprocess.run([*stage, sweep, *arguments.words], cwd=work, check=True)
        orders = orders_of(work, arguments.words)
        print(f"{len(orders)} trials, {arguments.repeats} repeats")
        costs = interleave(
            {
                "a Trainer script a cell": lambda repeat: theirs(orders, baseline),
                "frontier run": lambda repeat: ours(work, arguments.words, repeat, mine, phases),
            },
            arguments.repeats,
        )
    valid = gate(mine, baseline)
    total = sum(phases.values())
    print("our phases: " + ", ".join(f"{k} {v / total:.0%}" for k, v in sorted(phases.items())))
    print("metrics agree within seed noise" if valid else "METRICS DISAGREE: the figure is void")
    report(costs, baseline="a Trainer script a cell")


if __name__ == "__main__":
    main()
