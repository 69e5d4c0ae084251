"""How far the forecast of a sweep is from what it takes: by arithmetic alone, and with probes.

    python tests/bench/forecast_error.py [CONFIG] [AXIS=VALUE ...]

Plans the sweep (the demo by default) without any history, measures it with probes, runs it, and holds both
plans against the bills of its trials. Everything is stored in a directory that is deleted afterwards. Times
are wall times of this machine: whatever else it does is in them.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from orchestrator.cli.plan.probes import measured_session
from orchestrator.cli.run.launch import run
from orchestrator.cli.session import Session, open_session
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.planning import Plan
from orchestrator.planning.cost import Forecaster
from orchestrator.planning.probes import billed_device_hours
from orchestrator.planning.rates import assumed_rate
from orchestrator.planning.workload import Workload
from orchestrator.tracking.tracking_uri import tracking_uri

DEMO = Path(__file__).parents[2] / "configs" / "sweeps" / "demo.yaml"


def main() -> None:
    arguments = sys.argv[1:]
    config = DEMO if not arguments or "=" in arguments[0] else Path(arguments.pop(0))
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as storage:
        words = [*arguments, f"storage={storage}"]
        quiet = Console(file=sys.stderr)
        blind = open_session(config, words).plan
        session = measured_session(open_session(config, words), "ray", ClusterChoice(), quiet)
        told = session.plan
        uri = tracking_uri(Path(storage), {})
        run(session, "ray", ClusterChoice(), uri, quiet)
        after = open_session(config, words)
        print(f"{config.stem}: {len(blind.trials)} trials, seconds of wall time each; {after.cpus} cores")
        compare("arithmetic alone", blind, after)
        compare("with probes", told, after)
        probes = billed_device_hours(after.probing.ledger.history().values())
        print(f"probes: {probes:.4f} {told.forecast.device}")


def compare(title: str, plan: Plan, after: Session) -> None:
    took = {}
    for name, history in after.ledger.history().items():
        for fingerprint, found in history.by_fingerprint.items():
            if found.wall_seconds is not None:
                took[name, fingerprint] = found.wall_seconds
    resources = plan.sweep.config.resources
    forecaster = Forecaster(
        plan.history.values(), resources, plan.probes.values(), rate=assumed_rate(plan.sweep)
    )
    ratios, inside = [], 0
    for trial in plan.trials:
        actual, spec = took.get((trial.name, trial.fingerprint)), plan.spec(trial)
        found = forecaster.forecast(Workload.of_trial(spec), resources=trial.resources)
        if actual is not None and found is not None:
            ratios.append(found.seconds / actual)
            inside += found.low <= actual <= found.high
    if not ratios:
        print(f"{title}: nothing to compare")
        return
    errors = sorted(abs(ratio - 1) for ratio in ratios)
    worst = errors[min(len(errors) - 1, int(0.9 * len(errors)))]
    print(
        f"{title}: {len(ratios)} trials; forecast / taken, median {statistics.median(ratios):.2f}, from "
        f"{min(ratios):.2f} to {max(ratios):.2f}; error, median {statistics.median(errors):.0%}, of nine in "
        f"ten at most {worst:.0%}; {inside} of {len(ratios)} ({inside / len(ratios):.0%}) within their own "
        "interval"
    )
    forecast, billed = plan.forecast, sum(took.values()) / 3600
    if forecast.device_hours is not None and forecast.device_hours_interval is not None:
        low, high = forecast.device_hours_interval
        where = "inside" if low <= billed <= high else "outside"
        print(
            f"  total: forecast {forecast.device_hours:.4f} ({low:.4f}-{high:.4f}) {forecast.device}, "
            f"took {billed:.4f}: {forecast.device_hours / billed - 1:+.0%}, {where} the interval"
        )


if __name__ == "__main__":
    main()
