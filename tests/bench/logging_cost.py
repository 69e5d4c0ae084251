"""What it costs to log a trial: CPU-milliseconds of its MLflow run, and how long its training waits.

    python tests/bench/logging_cost.py [RUNS]

Only the driver writes to MLflow, from records, so training waits only for the line that it adds to its
events. A run has the parameters, metrics and curves of a small trial; the store is SQLite.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ledger_builder import Fate, LedgerBuilder
from table import Row, arguments, finish

from orchestrator.contracts.outcome import StepEvent
from orchestrator.tracking.mlflow_runs import curve_points, describe
from orchestrator.tracking.mlflow_view import MlflowView
from workers.runtime.records import EventLog

EVENTS = 500


def main() -> None:
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("runs", nargs="?", type=int, default=30)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as name:
        directory = Path(name)
        built = LedgerBuilder(directory, "bench")
        trials = built.plan(["tiny"], ["general"], ["lora-r8"], seeds=range(1, given.runs + 2))
        for trial in trials:
            built.attempt(trial, Fate(quality=0.8))
        records = [built.ledger.trial(trial) for trial in trials]
        view = MlflowView(f"sqlite:///{directory / 'mlflow.db'}", built.sweep)
        view.publish(records[0])  # imports MLflow, makes the store
        began = time.process_time()
        for record in records[1:]:
            view.publish(record)
        each = 1e3 * (time.process_time() - began) / (len(records) - 1)
        content = describe(records[1], built.sweep)
        assert view.warning is None
        assert content is not None
        size = (
            f"{len(content.params)} parameters, {len(content.finals) + len(curve_points(records[1]))} values"
        )
        waits = []
        events = EventLog(directory / "events.jsonl")
        for step in range(EVENTS):
            began = time.perf_counter()
            events.write(StepEvent(at=0.0, step=step + 1, loss=0.1, learning_rate=0.1, tokens=1))
            waits.append(1e3 * (time.perf_counter() - began))
        events.close()
    rows = [
        Row("f", f"an MLflow run of {size}", each, "CPU-ms", 15.0),
        Row("f", "training waits for the line of one event", statistics.median(waits), "ms", 1.0),
    ]
    finish(rows, given.rows)


if __name__ == "__main__":
    main()
