"""Tune schedules jobs on a cluster. In this package only the folder `ray` imports ray; `launcher` is its
entrance."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.contracts.resources import Resources
from orchestrator.errors import LaunchError
from orchestrator.execution.clock import SystemClock
from orchestrator.execution.interrupts import interrupts
from orchestrator.execution.launcher import Workplace
from orchestrator.execution.ray.hooks import (
    JOB,
    HoldingScheduler,
    InLine,
    InterruptedLaunchError,
    Listener,
    propagate_no_credentials,
)
from orchestrator.execution.ray.nodes import NodesHost
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step
from orchestrator.execution.trial_events import Job, TrialFeed
from orchestrator.execution.worker_slot import HostFactory, Slot
from orchestrator.planning.packing import TrialQueue


@dataclass(frozen=True)
class Launch:
    """What every actor gets once, by reference. Jobs stay pickled until one is taken up."""

    jobs: tuple[bytes, ...]
    workplace: Workplace
    policy: RetryPolicy
    host_factory: HostFactory

    @classmethod
    def of(
        cls, jobs: Sequence[Job], workplace: Workplace, policy: RetryPolicy, host_factory: HostFactory
    ) -> Launch:
        return cls(tuple(pickle.dumps(job) for job in jobs), workplace, policy, host_factory)


class TrialSlot(tune.Trainable):  # type: ignore[misc]  # ray is untyped for us
    """An actor that holds one warm host and takes up trial after trial. One iteration is one attempt."""

    def setup(self, config: dict[str, int], launch: Launch) -> None:
        self._launch = launch
        self._take_up(config)
        self._slot = self._new_slot()

    def _new_slot(self) -> Slot:
        resources = self._job.trial.resources
        factory = self._launch.host_factory
        if resources.nodes > 1:
            factory = partial(NodesHost, resources=resources)
        return Slot(factory, resources.threads, self._launch.workplace, SystemClock())

    def reset_config(self, config: dict[str, int]) -> bool:
        """Tune reuses an actor for the same placement, which may be cut into other processes."""
        before = self._job.trial.resources
        self._take_up(config)
        if self._job.trial.resources != before and not self._slot.faulty:
            self._slot.close()
            self._slot = self._new_slot()
        return True

    def _take_up(self, config: dict[str, int]) -> None:
        self._job: Job = pickle.loads(self._launch.jobs[config[JOB]])  # noqa: S301, of the driver

    def __repr__(self) -> str:
        """Return what the dashboard's table of actors shows. Ray asks only once, and an actor runs many
        trials: the running one is in the process name on the cluster page."""
        return f"trials of {self._job.trial.resources.devices:g} devices each"

    def step(self) -> dict[str, object]:
        if self._slot.faulty:
            raise FaultyGpuError
        trial, before = self._job.trial, self._job.before
        ray._raylet.setproctitle(
            f"ray::{process_name(trial.name)}"
        )  # the running trial, in ps and the dashboard
        report: dict[str, str] = {}
        try:
            outcomes = self._slot.outcomes_since(trial.name, before)
            at_work = next_step(outcomes, self._launch.policy) is NextStep.ATTEMPT
            ended = self._slot.attempt(trial) if at_work else None
        except LaunchError as error:
            return {"done": True, "told": {"fatal": str(error)}}
        if ended is not None:
            outcomes.append(ended.outcome)
            report = {"outcome": ended.outcome.model_dump_json(), "bill": ended.bill.model_dump_json()}
            if self._slot.faulty:
                failure = ended.outcome.failure
                report["faulty"] = (failure and failure.machine) or socket.gethostname()
        return {"done": next_step(outcomes, self._launch.policy) is not NextStep.ATTEMPT, "told": report}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: the ledger holds the state. Without this method Tune discards the actor."""

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Load nothing."""

    def cleanup(self) -> None:
        """End the host. With a faulty GPU this process stays, so that Ray gives the GPU to no other: until
        the launch is over, or Tune's patience is (TUNE_FORCE_TRIAL_CLEANUP_S, ten minutes)."""
        self._slot.close()
        if self._slot.faulty:
            threading.Event().wait()


class FaultyGpuError(Exception):
    """Tune starts the trial again, in another actor."""


def process_name(trial: str) -> str:
    """`tiny/clinical/lora-r8/ncbi-disease/seed-12` -> `tiny.clinical.lora-r8.ncbi-disease.s12`; a candidate
    ends in `tune-003`."""
    return trial.replace("/seed-", "/s").replace("/", ".")


class _Names:
    """Names for Tune's trials. Tune pickles it once per trial, into a state that is never read: a closure
    over all names grew with the square of the trials, to gigabytes for 10,000."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._names = [process_name(job.trial.name) for job in jobs]

    def __call__(self, trial: Trial) -> str:
        name: str = self._names[trial.config[JOB]]
        return name

    def __deepcopy__(self, memo: object) -> _Names:
        return self

    def __reduce__(self) -> tuple[type[_Names], tuple[tuple[Job, ...]]]:
        return _Names, ((),)


def _directory_name(trial: Trial) -> str:
    return str(trial.config[JOB])


def fit(launch: Launch, jobs: Sequence[Job], feed: TrialFeed, scratch: Path, line: TrialQueue) -> None:
    """Let Tune run all jobs, each once it is its turn in the line. Raises as `Launcher.run` does.

    Tune is never given more than fits: it would stage the rest, and start them in any order.
    """
    propagate_no_credentials()
    groups = [placement(trial) for trial in line.trials]
    trainable = tune.with_resources(
        tune.with_parameters(TrialSlot, launch=launch),
        lambda config: groups[config[JOB]],
    )
    trainable.__qualname__ = TrialSlot.__qualname__  # the dashboard shows it
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what it would say, the feed says
    with interrupts() as pending:
        tuner = tune.Tuner(
            trainable,
            param_space={JOB: tune.grid_search(list(range(len(jobs))))},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                search_alg=InLine(line),
                scheduler=HoldingScheduler(feed),
                trial_name_creator=_Names(jobs),
                trial_dirname_creator=_directory_name,
            ),
            run_config=tune.RunConfig(
                name="launch",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[Listener(feed, pending)],
                failure_config=tune.FailureConfig(max_failures=launch.policy.most),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except InterruptedLaunchError:
            raise KeyboardInterrupt from None
        feed.close()


def placement(resources: Resources) -> tune.PlacementGroupFactory:
    """One bundle a node, which Ray never splits; the nodes near each other where that can be had. Only nodes
    with the label of the device that the trial was planned for, where it names one."""
    bundle: dict[str, float] = {"CPU": resources.cpus / resources.nodes}
    if resources.gpus:
        bundle["GPU"] = resources.gpus / resources.nodes
    asked: dict[str, Any] = {}
    if resources.device is not None:
        asked["bundle_label_selector"] = [{DEVICE_LABEL: resources.device}] * resources.nodes
    return tune.PlacementGroupFactory([bundle] * resources.nodes, strategy="PACK", **asked)
