"""A sweep in virtual time: the real plan and ledger, no training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config import Inputs, load_sweep
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.budget_guard import Allowance
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import LaunchEvent, Workplace
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.run import RunSummary, run_sweep
from orchestrator.execution.simulated_launcher import Script, SimulatedLauncher, as_forecast
from orchestrator.planning import Plan, make_plan
from orchestrator.tracking.ledger import Ledger

SWEEP = {
    "name": "virtual",
    "models": ["demo-tiny"],
    "domains": ["general", "clinical"],
    "methods": ["full", "lora"],
    "tasks": ["demo-outcome"],
    "seeds": [1, 2],
}


class DriverKilledError(Exception):
    """Stands for the end of the driver: nothing of ours runs after it."""


@dataclass
class Board:
    """Records what it is given to publish."""

    states: list[tuple[str, TrialState]]
    sweeps: list[SweepRecord] = field(default_factory=list)

    def follow(self, sweep: SweepRecord) -> None:
        self.sweeps.append(sweep)

    def publish(self, record: TrialRecord) -> bool:
        self.states.append((record.name, record.state))
        return True


@dataclass
class Project:
    """A sweep file and its ledger; each run reads both anew, as another process would."""

    root: Path
    places: int = 2
    keys: dict[str, object] = field(default_factory=dict)  # of the sweep file

    @property
    def sweep_directory(self) -> Path:
        return self.root / "sweeps" / "virtual"

    def plan(self, *arguments: str, **changes: object) -> Plan:
        path = self.root / "virtual.yaml"
        path.write_text(json.dumps({**SWEEP, **self.keys, **changes}))
        sweep, ledger = load_sweep(path, arguments, cwd=self.root), Ledger(self.sweep_directory)
        cells = sweep.grid.cells
        inputs = Inputs(
            data={c.task.spec.name: "d" for c in cells},
            weights={c.backbone.name: "w" for c in cells},
            code="c",
            metrics="1",
        )
        before = ledger.last_sweep()
        return make_plan(sweep, inputs, ledger.history(), slots=self.places, before=before)

    def run(
        self,
        script: Script = as_forecast,
        *,
        board: Board | None = None,
        notify: Callable[[LaunchEvent], None] = lambda event: None,
        plan: Plan | None = None,
        allowance: Allowance | None = None,
    ) -> RunSummary:
        plan, clock = plan or self.plan(), VirtualClock()
        place = Workplace(self.sweep_directory, cache_dir=self.root / "cache")
        return run_sweep(
            plan,
            plan.record(written_at=clock.now(), frontier_version="0", provenance={}),
            ledger=Ledger(self.sweep_directory),
            launcher=SimulatedLauncher(place, RetryPolicy(), slots=self.places, script=script, clock=clock),
            view=board,
            notify=notify,
            clock=clock,
            allowance=allowance,
        )

    def states(self) -> Counter[TrialState]:
        return Counter(record.state for record in Ledger(self.sweep_directory).trials())

    def finished_attempts(self) -> Counter[str]:
        outcomes = (json.loads(p.read_text()) for p in self.sweep_directory.rglob("outcome.json"))
        return Counter(o["trial"] for o in outcomes if o["state"] == "finished")
