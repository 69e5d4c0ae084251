"""Seconds and peak memory of reporting on ledgers of 1,000 to 10,000 finished trials: is the growth linear?

    python tests/bench/report_10k.py

Each size is reported in a process of its own, from real files: reading the ledger, building the report with
the published numbers beside it and the learning curves in it, and writing its five files.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ledger_builder import LedgerBuilder, lora_ranks, task

from orchestrator.cli.against import load_published
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report import build_report, with_curves, write_report
from orchestrator.tracking.ledger import Ledger

SIZES = (1000, 2000, 5000, 10000)
MODELS, DOMAINS, SEEDS = ["tiny", "mini", "base"], ["general", "biomedical", "clinical"], [12, 34, 56]
KINDS = {"outcome": TaskKind.CLASSIFICATION, "mentions": TaskKind.NER}


def write_ledger(directory: Path, trials: int) -> int:
    """A sweep over as many ranks of LoRA as give at least `trials` trials; returns how many those are."""
    ranks = -(-trials // (len(MODELS) * len(DOMAINS) * len(SEEDS) * len(KINDS)))
    built = LedgerBuilder(directory, "bench")
    tasks = [task(name, kind, invented=False) for name, kind in KINDS.items()]
    planned = built.plan(MODELS, DOMAINS, lora_ranks(range(1, ranks + 1)), tasks, SEEDS)
    built.finish_all()
    return len(planned)


def measure(directory: Path) -> dict[str, float]:
    """Reports on the ledger in `directory`. Seconds, and the peak memory of this process in MiB."""
    started = time.perf_counter()
    ledger = Ledger(directory)
    published = load_published("taylor-2024")
    built_one = build_report(ledger.sweep(), ledger.trials(), ledger.removed(), published, ledger.examples)
    report = with_curves(built_one, ledger)
    built = time.perf_counter()
    write_report(report, directory / "report")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"build": built - started, "write": time.perf_counter() - built, "peak_mib": peak}


def main() -> None:
    print(f"{'trials':>7} {'read, build':>12} {'write':>8} {'together':>9} {'peak MiB':>9}")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            trials = write_ledger(Path(name), size)
            command = [sys.executable, __file__, str(Path(name, "bench"))]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = json.loads(out)
        together = found["build"] + found["write"]
        print(
            f"{trials:>7,} {found['build']:>10.2f} s {found['write']:>6.2f} s {together:>7.2f} s "
            f"{found['peak_mib']:>9.0f}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        main()
