"""An attempt in the process of the test, stopped after a given step."""

from __future__ import annotations

from pathlib import Path

from orchestrator.contracts.trial import AttemptOrder
from workers.metering.gauges import Gauges
from workers.metering.meter import Meter
from workers.runtime.records import EventLog
from workers.train import PreemptedError
from workers.trial import TrialRecords, run_trial


def run_until(order_path: Path, step: int | None, meter: Meter | None = None) -> TrialRecords:
    """Run an attempt in this process, ask it to stop after `step`, and return the records that it yielded
    last. Without a step it runs to its end."""
    order = AttemptOrder.model_validate_json(order_path.read_bytes())
    meter = meter or Meter()
    log = EventLog(order_path.parent / "events.jsonl")
    seen: list[TrialRecords] = []
    try:
        for records in run_trial(
            order, Gauges(order, meter), meter, log, lambda: seen[-1].progress.step == step
        ):
            seen.append(records)
        assert step is None
    except PreemptedError:
        assert step is not None
    log.close()
    return seen[-1]
