"""A driver for a rig of fake GPUs: trials of three kinds, which are at work only all at once.

    python tests/rig_placing.py ADDRESS DIRECTORY

Prints a JSON object: where each trial began, by its name.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import execution_fakes as fakes

from orchestrator.contracts.trial import AttemptOrder
from orchestrator.execution.launcher import LaunchEvent, TrialStarted, Workplace
from orchestrator.execution.ray.launcher import RayLauncher
from orchestrator.execution.retries import RetryPolicy

L4, A100 = "nvidia-l4", "nvidia-a100-80gb"
KINDS = {"cores": (3, 0, None), "small": (1, 1, L4), "half": (1, 0.5, L4), "large": (1, 1, A100)}
_PATIENCE_SECONDS = 120.0


class MeetingHost:
    """In the place of training: an attempt ends once one of each kind has begun."""

    def __init__(self, threads: int) -> None:
        self._over = False

    def run(self, order_path: Path, timeout: float | None = None) -> int:
        order = AttemptOrder.model_validate_json(order_path.read_bytes())
        meeting = Path(order.cache_dir) / "meeting"
        meeting.mkdir(parents=True, exist_ok=True)
        (meeting / order.trial.task.name).touch()
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._over and len(list(meeting.iterdir())) < len(KINDS):
            if time.monotonic() > until:
                return 1
            time.sleep(0.05)
        (Path(order.directory) / "outcome.json").write_text(fakes.make_outcome(order).model_dump_json())
        return 0

    def interrupt(self) -> None:
        self._over = True

    def close(self) -> None:
        self._over = True


def main(address: str, directory: Path) -> None:
    trials = []
    for kind, (cpus, gpus, device) in KINDS.items():
        trial = fakes.make_trial(kind, cpus=cpus, gpus=gpus)
        trials.append(replace(trial, resources=trial.resources.model_copy(update={"device": device})))
    place = Workplace(directory / "placing", cache_dir=directory / "cache")
    launcher = RayLauncher(place, RetryPolicy(0), address=address, insecure=True, host_factory=MeetingHost)
    where: dict[str, str] = {}

    def hear(event: LaunchEvent) -> None:
        if isinstance(event, TrialStarted):
            where[event.name] = event.where

    launcher.run(trials, hear)
    print(json.dumps(where))


if __name__ == "__main__":
    from rig_placing import main  # by its name, which the actors import as well

    main(sys.argv[1], Path(sys.argv[2]))
