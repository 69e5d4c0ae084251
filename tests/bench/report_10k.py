"""Seconds and peak memory of reporting on ledgers of 1,000 to 10,000 finished trials: is the growth linear?

    python tests/bench/report_10k.py [TRIALSxDOCUMENTS ...] [--rows FILE]

Each ledger is reported in a process of its own, from real files: reading the ledger and what each trial tells
of each document of its test part, building the report with the published numbers beside it and the learning
curves in it, and writing its five files. The target for 10,000 trials is under 10 s and under 1 GB.
CPU-seconds stand beside wall time, which neighbours stretch.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from ledger_builder import Fate, LedgerBuilder, lora_ranks, task
from table import Row, arguments, finish

from orchestrator.cli.results.published import load_published
from orchestrator.contracts import layout
from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report import build_report, with_curves, write_report
from orchestrator.tracking.ledger import Ledger

SIZES = ((1000, 1000), (2000, 1000), (5000, 1000), (10_000, 0), (10_000, 200), (10_000, 1000))
TARGET_SECONDS, TARGET_MIB = 10.0, 1e9 / 2**20
MODELS, DOMAINS, SEEDS = ["tiny", "mini", "base"], ["general", "biomedical", "clinical"], [12, 34, 56]
KINDS = {"outcome": TaskKind.CLASSIFICATION, "mentions": TaskKind.NER}


def write_ledger(directory: Path, trials: int, documents: int) -> int:
    """A sweep over as many ranks of LoRA as give at least `trials` trials; returns how many those are."""
    ranks = -(-trials // (len(MODELS) * len(DOMAINS) * len(SEEDS) * len(KINDS)))
    built = LedgerBuilder(directory, "bench")
    tasks = [task(name, kind, invented=False) for name, kind in KINDS.items()]
    planned = built.plan(MODELS, DOMAINS, lora_ranks(range(1, ranks + 1)), tasks, SEEDS)
    rng = np.random.default_rng(0)
    for index, trial in enumerate(planned):
        score = 0.5 + 0.3 * index / len(planned)
        told = _told(rng, trial, score, documents) if documents else None
        score = score if told is None else sum(told.numerator) / sum(told.denominator)
        path = built.attempt(trial, Fate(quality=score, seconds=60.0 + index % 97))
        if told is not None:
            (path / layout.EXAMPLES).write_bytes(told.to_bytes())
    return len(planned)


def _told(rng: np.random.Generator, trial: PlannedTrial, quality: float, documents: int) -> ScoredExamples:
    """Of mentions counts, as entity F1 has them; of outcomes fractions, as macro F1 has them."""
    if trial.cell.task == "mentions":
        wanted = rng.poisson(4, documents)
        metric, numerator, denominator = MetricName.ENTITY_F1, 2 * rng.binomial(wanted, quality), 2 * wanted
    else:
        noise = rng.standard_normal(documents)
        metric, denominator = MetricName.MACRO_F1, np.ones(documents)
        numerator = quality + noise - noise.mean()
    return ScoredExamples(
        metric=metric,
        test_set=trial.cell.task,
        numerator=floats(numerator),
        denominator=floats(denominator),
    )


def measure(directory: Path) -> dict[str, float]:
    """Reports on the ledger in `directory`. Seconds, and the peak memory of this process in MiB."""
    started, busy = time.perf_counter(), time.process_time()
    ledger = Ledger(directory)
    published = load_published("taylor-2024")
    built_one = build_report(ledger.sweep(), ledger.trials(), ledger.removed(), published, ledger.examples)
    report = with_curves(built_one, ledger)
    built = time.perf_counter()
    write_report(report, directory / "report")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    together, cpu = time.perf_counter() - started, time.process_time() - busy
    return {"build": built - started, "together": together, "cpu": cpu, "peak_mib": peak}


def main(sizes: Sequence[tuple[int, int]], file: Path | None) -> None:
    rows = []
    heads = ("trials", "documents", "read, build", "write", "together", "CPU", "peak MiB")
    print("".join(head.rjust(13) for head in heads))
    for size, documents in sizes:
        with tempfile.TemporaryDirectory() as name:
            trials = write_ledger(Path(name), size, documents)
            command = [sys.executable, __file__, "--of", str(Path(name, "bench"))]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = json.loads(out)
        within = found["together"] < TARGET_SECONDS and found["peak_mib"] < TARGET_MIB
        write = found["together"] - found["build"]
        seconds = "".join(f"{s:11.2f} s" for s in (found["build"], write, found["together"], found["cpu"]))
        print(
            f"{trials:13,}{documents:13,}{seconds}{found['peak_mib']:13.0f}  "
            f"{'within' if within else 'beyond'} 10 s and 1 GB at a load of {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        what = f"report over {trials:,} trials of {documents} documents"
        rows.append(Row("g", f"{what}: CPU time", found["cpu"], "CPU-s", 1.5))
        rows.append(Row("g", f"{what}: memory", found["peak_mib"], "MiB", 250.0))
    finish(rows, file)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--of"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        parser = arguments(__doc__, repeats=1)
        parser.add_argument("sizes", nargs="*", metavar="TRIALSxDOCUMENTS")
        given = parser.parse_args()
        asked = [tuple(map(int, word.split("x"))) for word in given.sizes]
        main([(trials, documents) for trials, documents in asked] or SIZES, given.rows)
