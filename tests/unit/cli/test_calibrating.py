"""`frontier run` where trials share a GPU: first the probes that costs come from, each on a whole one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.cli.plan import probes
from orchestrator.cli.plan.placement import show_calibrations
from orchestrator.cli.session import open_session
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import ClusterChoice, Workplace
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.simulated_launcher import SimulatedLauncher

SWEEP = {
    "name": "shared",
    "models": ["demo-tiny"],
    "domains": ["general", "clinical"],
    "methods": ["full"],
    "tasks": ["demo-outcome"],
    "seeds": [1, 2],
    "resources": {"gpus": 0.5},
}


@pytest.fixture
def in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def launcher_for(session: Any, name: str, address: str | None) -> SimulatedLauncher:
        place = Workplace(session.sweep.sweep_directory, cache_dir=session.sweep.storage)
        return SimulatedLauncher(place, RetryPolicy(0), slots=1, clock=VirtualClock())

    monkeypatch.setattr(probes, "launcher_for", launcher_for)


def opened(directory: Path, **keys: Any) -> Any:
    path = directory / "shared.yaml"
    path.write_text(json.dumps(SWEEP | {"storage": str(directory / "sweeps")} | keys))
    return open_session(path, [])


@pytest.mark.usefixtures("in_virtual_time")
def test_the_missing_probes_run_on_whole_gpus_and_are_billed_apart(tmp_path: Path) -> None:
    session = opened(tmp_path)
    told = io.StringIO()
    show_calibrations(session.plan, Console(file=told, width=400))
    assert "cost what 2 short runs of their kinds take alone on one" in told.getvalue()
    probes.calibrate(session, "local", ClusterChoice(), Console(file=told, width=400))
    assert "measuring 2 probes" in told.getvalue()
    ledger = session.probing.ledger
    assert ledger.directory.name == "shared-probes"
    attempts = [attempt for record in ledger.trials() for attempt in record.attempts]
    assert [attempt.devices for attempt in attempts] == [1.0, 1.0]
    assert not session.ledger.directory.exists()


@pytest.mark.usefixtures("in_virtual_time")
def test_trials_with_a_gpu_to_themselves_need_none(tmp_path: Path) -> None:
    session = opened(tmp_path, resources={"gpus": 1})
    told = io.StringIO()
    show_calibrations(session.plan, Console(file=told))
    assert probes.calibrate(session, "local", ClusterChoice(), Console(file=told)) is session
    assert told.getvalue() == ""
    assert not session.probing.ledger.directory.exists()
