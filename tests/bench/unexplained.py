"""Which share of what a sweep was billed lies in no phase, by device type; the target is under 2 %.

    python tests/bench/unexplained.py [SWEEP_DIRECTORY | CONFIG] [AXIS=VALUE ...]

Of a sweep that has run, from its records; else runs one (the demo by default), with Ray, in a directory that
is deleted afterwards.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from orchestrator.cli.run.launch import run
from orchestrator.cli.session import open_session
from orchestrator.contracts.ledger import device_unit
from orchestrator.contracts.vocabulary import Phase
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.sweep_costs import DeviceCosts, statements
from orchestrator.tracking.tracking_uri import tracking_uri

DEMO = Path(__file__).parents[2] / "configs" / "sweeps" / "demo.yaml"
TARGET = 0.02
MICROSECONDS_AN_HOUR = 3_600_000_000


def main() -> None:
    words = sys.argv[1:]
    asked = DEMO if not words or "=" in words[0] else Path(words.pop(0))
    if asked.is_dir():
        tell(Ledger(asked))
        return
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as storage:
        session = open_session(asked, [*words, f"storage={storage}"])
        run(session, "ray", ClusterChoice(), tracking_uri(Path(storage), {}), Console(file=sys.stderr))
        tell(session.ledger)


def tell(ledger: Ledger) -> None:
    name = ledger.sweep().name
    for statement in statements([*ledger.trials(), *ledger.candidates(), *ledger.removed()]):
        billed = statement.total()
        if not billed:
            print(f"{name}, {statement.device_type}: nothing was billed")
            continue
        share = statement.unexplained / billed
        verdict = "within" if share < TARGET else "beyond"
        print(
            f"{name}, {statement.device_type}: {share:.2%} of {billed / MICROSECONDS_AN_HOUR:.4f} "
            f"{device_unit(statement.device_type)} lies in no phase, over {statement.attempts:,} attempts; "
            f"{verdict} the target of {TARGET:.0%}"
        )
        print(f"  in phases: {_phases(statement, billed)}")


def _phases(statement: DeviceCosts, billed: int) -> str:
    took = {phase: statement.total(phase=phase) / billed for phase in Phase}
    return ", ".join(f"{phase.value} {share:.1%}" for phase, share in took.items() if share)


if __name__ == "__main__":
    main()
