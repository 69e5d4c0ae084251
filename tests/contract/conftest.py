"""The launchers under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import execution_fakes as fakes
import pytest
from object_store import s3  # noqa: F401  # a fixture

from orchestrator.execution.launcher import Hold, LaunchEvent, TrialOrder, Workplace, never
from orchestrator.execution.local_launcher import LocalLauncher
from orchestrator.execution.ray.launcher import RayLauncher
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.simulated_launcher import SimulatedLauncher


@dataclass
class Launch:
    """One launch of trials under a script, and what was told about it."""

    kind: str
    place: Workplace
    events: list[LaunchEvent] = field(default_factory=list)

    def __call__(
        self,
        trials: Sequence[TrialOrder],
        script: fakes.Script | None = None,
        *,
        at_once: int = 1,
        retries: int = 2,
        notify: Callable[[LaunchEvent], None] | None = None,
        hold: Hold = never,
        gpus: Sequence[str] = (),
        faulty: Path | None = None,
    ) -> list[LaunchEvent]:
        policy, script = RetryPolicy(retries, preemptions=retries), script or {}
        hosts = fakes.FakeHosts(script, faulty=None if faulty is None else str(faulty))
        launcher: Any
        if self.kind == "simulated":
            launcher = SimulatedLauncher(
                self.place, policy, slots=at_once, script=partial(fakes.simulated, script)
            )
        elif self.kind == "local":
            launcher = LocalLauncher(
                self.place,
                policy,
                cpus=2,
                gpus=gpus,
                concurrency=at_once,
                host_factory=hosts,
            )
        else:
            launcher = RayLauncher(self.place, policy, concurrency=at_once, host_factory=hosts)

        def hear(event: LaunchEvent) -> None:
            self.events.append(event)
            if notify is not None:
                notify(event)

        launcher.run(trials, hear, hold)
        return self.events


KINDS = ["simulated", "local", "ray"]


def _launch(kind: str, request: pytest.FixtureRequest, directory: Path) -> Launch:
    if kind == "ray":
        request.getfixturevalue("ray_cluster")
    return Launch(kind, Workplace(directory / "sweep", cache_dir=directory / "cache"))


@pytest.fixture(params=KINDS)
def launch(request: pytest.FixtureRequest, tmp_path: Path) -> Launch:
    return _launch(request.param, request, tmp_path)


@pytest.fixture(scope="module", params=KINDS)
def mixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """After a launch of all of `fakes.MIXED`, which several tests look at."""
    launch = _launch(request.param, request, tmp_path_factory.mktemp("mixed"))
    launch([fakes.make_trial(task) for task in fakes.MIXED], fakes.MIXED, at_once=2)
    return launch
