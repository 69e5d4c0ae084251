"""What metering costs a trial: CPU-seconds of whole attempts with the gauges on and off, in turns.

    python tests/bench/ledger_overhead.py [REPEATS] [KEY=VALUE ...]

Trials of the demo, in this process, on one thread; keys are those of the sweep file. On: everything that an
attempt meters. Off: phases are named and nothing is read or counted. The arms take turns and the ratio is
that of their medians, so that a noisy machine hits both alike; CPU time, as wall time tells of neighbours.

The arms end with the last score on dev, as timing the service takes a fixed wall time. What a whole trial
does for the report beside that is printed below: the shares of scoring test, of what it tells of each
document, and of timing the service.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.session import open_session
from orchestrator.cli.staging import stage
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder, TrialSpec
from orchestrator.contracts.vocabulary import Phase

DEMO = Path(__file__).parents[2] / "configs" / "sweeps" / "demo.yaml"
ONE_TRIAL = ["models=[demo-tiny]", "domains=[clinical]", "tasks=[demo-outcome]", "seeds=[12]"]
TARGET = 0.01


class Nothing:
    """In the place of the gauges."""

    def devices_settled(self) -> None: ...

    def model_built(self, model: Any, ranks: Any) -> None: ...

    def compare(self, ranks: Any) -> None: ...


def main(repeats: int, overrides: list[str]) -> None:
    from workers.runtime.attempt import settle_environment

    settle_environment(threads=1)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        session = open_session(DEMO, [*ONE_TRIAL, *overrides, f"storage={root}"])
        session = stage(session, Console())
        for planned in session.plan.trials:
            whole = session.plan.spec(planned)
            compare(whole.model_copy(update={"candidate": 1}), root, repeats)
            beside(whole, root, repeats)


def compare(trial: TrialSpec, root: Path, repeats: int) -> None:
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(-1, repeats):  # the turn before the first pays for what is loaded once
        for metered in (True, False) if turn % 2 else (False, True):  # neither arm always comes first
            took = attempt(trial, root, metered)
            if turn >= 0:
                seconds[metered].append(took)
    on, off = statistics.median(seconds[True]), statistics.median(seconds[False])
    verdict = "within" if on / off - 1 < TARGET else "beyond"
    print(
        f"{trial.name}: {on:.3f} CPU-seconds metered, {off:.3f} not, medians of {repeats}: "
        f"{on / off - 1:+.2%}, {verdict} the target of {TARGET:.0%}"
    )


def beside(trial: TrialSpec, root: Path, repeats: int) -> None:
    """Medians of the shares that phases of whole trials have in their CPU-seconds."""
    from workers import evaluate
    from workers.metering.meter import Meter

    told, real = [0.0], evaluate.scored_examples

    def timed(*arguments: Any) -> Any:
        began = time.process_time()
        found = real(*arguments)
        told[0] += time.process_time() - began
        return found

    evaluate.scored_examples = timed
    shares: dict[str, list[float]] = {
        "scoring test": [],
        "telling of documents": [],
        "timing the service": [],
    }
    try:
        for _ in range(repeats):
            meter, told[0] = Meter(time.process_time), 0.0
            whole = attempt(trial, root, True, meter)
            spent = meter.seconds()
            parts = (spent[Phase.TEST] - told[0], told[0], spent.get(Phase.SERVE, 0.0))
            for name, seconds in zip(shares, parts, strict=True):
                shares[name].append(seconds / whole)
    finally:
        evaluate.scored_examples = real
    words = (f"{name} {statistics.median(found):.2%}" for name, found in shares.items())
    print(f"  of a whole trial, beside metering: {', '.join(words)}")


def attempt(trial: TrialSpec, root: Path, metered: bool, meter: Any = None) -> float:
    """CPU-seconds of one attempt, from its order to its last act before the outcome is written."""
    from workers.metering.gauges import Gauges
    from workers.metering.meter import Meter
    from workers.runtime.records import EventLog
    from workers.trial import run_trial

    class Deaf(Meter):
        def enter(self, phase: Phase) -> None:
            self.phase = phase

    with tempfile.TemporaryDirectory(dir=root) as directory:
        order = AttemptOrder(
            trial=trial,
            attempt=1,
            directory=directory,
            cache_dir=str(root / "cache"),
            resources=Resources(cpus=1),
            checkpoint_seconds=0,
            ordered_at=0.0,
        )
        log = EventLog(Path(directory) / "events.jsonl")
        began = time.process_time()
        meter = meter or (Meter() if metered else Deaf())
        gauges: Any = Gauges(order, meter) if metered else Nothing()
        list(run_trial(order, gauges, meter, log, lambda: False))
        meter.work()
        took = time.process_time() - began
        log.close()
    return took


if __name__ == "__main__":
    count = [word for word in sys.argv[1:] if word.isdigit()]
    main(int(count[0]) if count else 9, [word for word in sys.argv[1:] if not word.isdigit()])
