"""A cluster, and Tune scheduling jobs on it. Only this file and `ray_nodes` import ray; `ray_launcher` is the
door of both."""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.contracts.trial import Resources
from orchestrator.errors import LaunchError
from orchestrator.execution.clock import SystemClock
from orchestrator.execution.interrupts import Interrupts, interrupts
from orchestrator.execution.launcher import DashboardReady, Workplace
from orchestrator.execution.ray_nodes import NodesHost
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step
from orchestrator.execution.slot import HostFactory, Slot
from orchestrator.execution.trial_feed import Job, TrialFeed
from orchestrator.planning.room import Line

_JOB = "job"  # the one key of a Tune configuration: the index of a job
# Of a result; Tune keeps statistics of each figure in it, some 10 KiB a trial, and nobody asks for them.
_KEPT_BY_TUNE = frozenset({"done", "trial_id", "training_iteration"})
_OBJECT_STORE_BYTES = 200 * 2**20  # holds the jobs, nothing of the training


@dataclass(frozen=True)
class Launch:
    """What every actor gets once, by reference. Jobs stay pickled until one is taken up."""

    jobs: tuple[bytes, ...]
    place: Workplace
    policy: RetryPolicy
    host_factory: HostFactory

    @classmethod
    def of(
        cls, jobs: Sequence[Job], place: Workplace, policy: RetryPolicy, host_factory: HostFactory
    ) -> Launch:
        return cls(tuple(pickle.dumps(job) for job in jobs), place, policy, host_factory)


class TrialSlot(tune.Trainable):  # type: ignore[misc]  # ray is untyped for us
    """An actor that holds one warm host and takes up trial after trial. One iteration is one attempt."""

    def setup(self, config: dict[str, Any], launch: Launch) -> None:
        self._launch = launch
        self._take_up(config)
        self._slot = self._new_slot()

    def _new_slot(self) -> Slot:
        resources = self._job.trial.resources
        factory = self._launch.host_factory
        if resources.nodes > 1:
            factory = partial(NodesHost, resources=resources)
        return Slot(factory, resources.threads, self._launch.place, SystemClock())

    def reset_config(self, config: dict[str, Any]) -> bool:
        """Tune reuses an actor for the same placement, which may be cut into other processes."""
        before = self._job.trial.resources
        self._take_up(config)
        if self._job.trial.resources != before:
            self._slot.close()
            self._slot = self._new_slot()
        return True

    def _take_up(self, config: dict[str, Any]) -> None:
        self._job: Job = pickle.loads(self._launch.jobs[config[_JOB]])

    def __repr__(self) -> str:
        """What the dashboard's table of actors shows. Ray asks once, and an actor takes up many trials: the
        one at work is the name of the process, on the page of the cluster."""
        return f"trials of {self._job.trial.resources.devices:g} devices each"

    def step(self) -> dict[str, Any]:
        trial, before = self._job.trial, self._job.before
        ray._raylet.setproctitle(f"ray::{readable(trial.name)}")  # the trial at work, in ps and the dashboard
        told: dict[str, Any] = {}
        try:
            outcomes = self._slot.outcomes_since(trial.name, before)
            at_work = next_step(outcomes, self._launch.policy) is NextStep.ATTEMPT
            ended = self._slot.attempt(trial) if at_work else None
        except LaunchError as error:
            return {"done": True, "told": {"fatal": str(error)}}
        if ended is not None:
            outcomes.append(ended.outcome)
            told = {"outcome": ended.outcome.model_dump_json(), "bill": ended.bill.model_dump_json()}
        return {"done": next_step(outcomes, self._launch.policy) is not NextStep.ATTEMPT, "told": told}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the ledger holds the state. Without this method Tune throws the actor away."""

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Nothing to load."""

    def cleanup(self) -> None:
        self._slot.close()


class _Listener(tune.Callback):  # type: ignore[misc]  # ray is untyped for us
    """Hears from Tune, and stops it between two of its steps: what is raised elsewhere, Tune swallows."""

    def __init__(self, feed: TrialFeed, pending: Interrupts) -> None:
        self._feed, self._pending = feed, pending
        self._fatal: str | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Tune writes its callbacks down for a restore that is never made: not what ours holds on to."""
        return tune.Callback, ()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._feed.started(trial.config[_JOB], str(trial.get_ray_actor_ip()))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        told = result.pop("told")
        for figure in result.keys() - _KEPT_BY_TUNE:
            del result[figure]
        if "fatal" in told:
            self._fatal = told["fatal"]
            return
        if told:
            self._feed.attempt_ended(trial.config[_JOB], told["outcome"], told["bill"])
        if result["done"]:
            self._feed.ended(trial.config[_JOB])

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._feed.lost(trial.config[_JOB])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._feed.lost(trial.config[_JOB])
        self._feed.ended(trial.config[_JOB])

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        try:
            self._feed.hand_on()
            self._pending.check()
            if self._fatal is not None:
                raise LaunchError(self._fatal)
        except KeyboardInterrupt:
            _kill_actors(trials)
            self._feed.interrupt()
            raise _InterruptedError from None
        except Exception:
            _kill_actors(trials)
            raise


class _InLine(BasicVariantGenerator):  # type: ignore[misc]  # ray is untyped for us
    """Hands Tune the trials one by one, as the line lets them begin."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._passed: dict[int, Any] = {}  # made by Tune's grid, and not yet begun
        self._begun: dict[str, int] = {}  # places in the line, by Tune's id

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """As for the listener."""
        return BasicVariantGenerator, ()

    def save_to_dir(self, dirpath: str, session_str: str) -> None:
        """Nothing is ever restored."""

    def next_trial(self) -> Any:
        if self._line.empty:
            return super().next_trial()  # tells Tune that this was all
        place = self._line.next()
        if place is None:
            return None
        while place not in self._passed:
            trial = super().next_trial()
            self._passed[trial.config[_JOB]] = trial
        trial = self._passed.pop(place)
        self._begun[trial.trial_id] = place
        return trial

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        super().on_trial_complete(trial_id, result, error)
        if trial_id in self._begun:
            self._line.ended(self._begun.pop(trial_id))


class _Holding(FIFOScheduler):  # type: ignore[misc]  # ray is untyped for us
    """First come, first served, until the feed holds back what has not begun."""

    def __init__(self, feed: TrialFeed) -> None:
        super().__init__()
        self._feed = feed

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """As for the listener."""
        return FIFOScheduler, ()

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Tune asks before each time that it starts trials."""
        if self._feed.hold():
            for trial in [t for t in tune_controller.get_live_trials() if t.status == Trial.PENDING]:
                trial.init_local_path()  # Tune asks for it at the end, and makes it at the start
                trial.run_metadata.last_result = {"held": True}  # of a trial without any, Tune prints a line
                tune_controller.stop_trial(trial)
            return None
        return super().choose_trial_to_run(tune_controller)


class _InterruptedError(Exception):
    """In the place of KeyboardInterrupt, which Tune does not clean up after."""


def _kill_actors(trials: list[Any]) -> None:
    """Those at work: Tune would wait for the end of their attempts. Their hosts die with them."""
    for actor in (trial.temporary_state.ray_actor for trial in trials):
        if actor is not None:
            ray.kill(actor)


def readable(trial: str) -> str:
    """`tiny/clinical/lora-r8/ncbi-disease/seed-12` -> `tiny.clinical.lora-r8.ncbi-disease.s12`; a candidate
    ends in `tune-003`."""
    return trial.replace("/seed-", "/s").replace("/", ".")


class _Names:
    """Names for Tune's trials. Tune pickles it once for each trial, into a state that nobody reads: as a
    closure over all names that grew with the square of the trials, to gigabytes for 10,000."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._names = [readable(job.trial.name) for job in jobs]

    def __call__(self, trial: Any) -> str:
        name: str = self._names[trial.config[_JOB]]
        return name

    def __deepcopy__(self, memo: object) -> _Names:
        return self

    def __reduce__(self) -> tuple[type[_Names], tuple[tuple[Job, ...]]]:
        return _Names, ((),)


def _directory_name(trial: Any) -> str:
    return str(trial.config[_JOB])


@contextmanager
def cluster(
    address: str | None, directory: Path, cpus: int | None, token: str | None
) -> Iterator[DashboardReady | None]:
    """Connect to a cluster, or start one that dies with this process. One connected already is kept."""
    if ray.is_initialized():
        yield None
        return
    try:
        url = _connect(address) if address else _start(directory, cpus)
        yield DashboardReady(f"http://{url}", token) if url else None
    finally:
        ray.shutdown()


def _connect(address: str) -> str | None:
    try:
        context = ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise LaunchError(
            f"no Ray cluster can be joined at {address} ({type(error).__name__})\n"
            "    -> check --address or RAY_ADDRESS, and RAY_AUTH_TOKEN; without an address `frontier` starts"
            " a cluster of its own"
        ) from error
    return context.dashboard_url or None


def _start(directory: Path, cpus: int | None) -> str | None:
    context = ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=True,
        object_store_memory=_OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(directory),
    )
    return context.dashboard_url or None


def fit(launch: Launch, jobs: Sequence[Job], feed: TrialFeed, scratch: Path, line: Line) -> None:
    """Let Tune run all jobs, each once it is its turn in the line. Raises as `Launcher.run` does.

    Tune is never given more than fits: it would stage the rest, and start them in any order.
    """
    groups = [placement(trial) for trial in line.trials]
    trainable = tune.with_resources(
        tune.with_parameters(TrialSlot, launch=launch),
        lambda config: groups[config[_JOB]],
    )
    trainable.__qualname__ = TrialSlot.__qualname__  # the dashboard shows it
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what it would say, the feed says
    with interrupts() as pending:
        tuner = tune.Tuner(
            trainable,
            param_space={_JOB: tune.grid_search(list(range(len(jobs))))},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                search_alg=_InLine(line),
                scheduler=_Holding(feed),
                trial_name_creator=_Names(jobs),
                trial_dirname_creator=_directory_name,
            ),
            run_config=tune.RunConfig(
                name="launch",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[_Listener(feed, pending)],
                failure_config=tune.FailureConfig(max_failures=launch.policy.most),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except _InterruptedError:
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


def nodes() -> tuple[NodeKind, ...]:
    """Of the cluster by now."""
    alike: Counter[tuple[int, int, str | None]] = Counter()
    for node in ray.nodes():
        if node["Alive"]:
            has, device = node["Resources"], node["Labels"].get(DEVICE_LABEL)
            alike[int(has.get("CPU", 0)), int(has.get("GPU", 0)), device] += 1
    return tuple(
        NodeKind(nodes=count, cpus=cpus, gpus=gpus, device=device)
        for (cpus, gpus, device), count in alike.items()
    )
