"""What Tune asks and reports during a run: what happened, which trial comes next, what is held back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ray
from ray import tune
from ray.actor import ActorHandle
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

from orchestrator.contracts.credentials import is_credential
from orchestrator.errors import LaunchError
from orchestrator.execution.interrupts import Interrupts
from orchestrator.execution.trial_events import TrialFeed
from orchestrator.planning.packing import TrialQueue

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

JOB = "job"  # the one key of a Tune configuration: the index of a job
# Of a result; Tune keeps statistics of each figure in it, some 10 KiB per trial, and they are never used.
_KEPT_BY_TUNE = frozenset({"done", "trial_id", "training_iteration"})


def propagate_no_credentials() -> None:
    """Keep Tune from putting the driver's cloud credentials into the runtime environment of its actors, which
    Ray writes into its logs and shows on its dashboard. The nodes have credentials of their own."""
    names = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = {name for name in names if not is_credential(name)}


class Listener(tune.Callback):  # type: ignore[misc]  # ray is untyped for us
    """Hears from Tune, and stops it between two of its steps: what is raised elsewhere, Tune swallows."""

    def __init__(self, feed: TrialFeed, pending: Interrupts) -> None:
        self._feed, self._pending = feed, pending
        self._fatal: str | None = None
        self._faulty: dict[str, list[ActorHandle]] = {}  # by machine, actors that keep a faulty GPU

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle without content: nothing is restored from the copy that Tune saves."""
        return tune.Callback, ()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        self._feed.started(trial.config[JOB], str(trial.get_ray_actor_ip()))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        report = result.pop("told")
        for figure in result.keys() - _KEPT_BY_TUNE:
            del result[figure]
        if "fatal" in report:
            self._fatal = report["fatal"]
            return
        if report:
            self._feed.attempt_ended(trial.config[JOB], report["outcome"], report["bill"])
        if "faulty" in report:
            self._keep_faulty(report["faulty"], trial.temporary_state.ray_actor)
        if result["done"]:
            self._feed.ended(trial.config[JOB])

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        self._feed.lost(trial.config[JOB])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        self._feed.ended(trial.config[JOB])

    def _keep_faulty(self, machine: str, actor: ActorHandle) -> None:
        self._faulty.setdefault(machine, []).append(actor)
        there = ray.cluster_resources().get("GPU", 0)
        if 0 < there <= len(self._faulty):
            self._fatal = (
                f"all GPUs of the cluster ({there:g}) failed their test: {'; '.join(self._faulty)}\n"
                "    -> look at `nvidia-smi` and for Xid in `dmesg` there, reset or replace them; the same "
                "command then continues from here"
            )

    def on_step_end(self, iteration: int, trials: list[Trial], **info: object) -> None:
        try:
            self._feed.hand_on()
            self._pending.check()
            if self._feed.all_ended:
                self._release_faulty()
            if self._fatal is not None:
                raise LaunchError(self._fatal)
        except KeyboardInterrupt:
            _kill_actors(trials)
            self._release_faulty()
            self._feed.interrupt()
            raise InterruptedLaunchError from None
        except Exception:
            _kill_actors(trials)
            self._release_faulty()
            raise

    def _release_faulty(self) -> None:
        for actor in (actor for actors in self._faulty.values() for actor in actors):
            ray.kill(actor)
        self._faulty.clear()


class InLine(BasicVariantGenerator):  # type: ignore[misc]  # ray is untyped for us
    """Hands Tune the trials one by one, as the line lets them begin."""

    def __init__(self, line: TrialQueue) -> None:
        super().__init__()
        self._line = line
        self._passed: dict[int, Trial] = {}  # made by Tune's grid, and not yet begun
        self._begun: dict[str, int] = {}  # places in the line, by Tune's id

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as the class of Tune: nothing is restored from the copy that Tune saves."""
        return BasicVariantGenerator, ()

    def save_to_dir(self, dirpath: str, session_str: str) -> None:
        """Save nothing: nothing is ever restored."""

    def next_trial(self) -> Trial | None:
        if self._line.empty:
            return super().next_trial()  # tells Tune that this was all
        index = self._line.next()
        if index is None:
            return None
        while index not in self._passed:
            trial = super().next_trial()
            self._passed[trial.config[JOB]] = trial
        trial = self._passed.pop(index)
        self._begun[trial.trial_id] = index
        return trial

    def on_trial_complete(self, trial_id: str, result: object = None, error: bool = False) -> None:
        super().on_trial_complete(trial_id, result, error)
        if trial_id in self._begun:
            self._line.ended(self._begun.pop(trial_id))


class HoldingScheduler(FIFOScheduler):  # type: ignore[misc]  # ray is untyped for us
    """First come, first served, until the feed holds back what has not begun."""

    def __init__(self, feed: TrialFeed) -> None:
        super().__init__()
        self._feed = feed

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as the class of Tune: nothing is restored from the copy that Tune saves."""
        return FIFOScheduler, ()

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """Tune asks before each time that it starts trials."""
        if self._feed.hold():
            for trial in [t for t in tune_controller.get_live_trials() if t.status == Trial.PENDING]:
                trial.init_local_path()  # Tune asks for it at the end, and makes it at the start
                trial.run_metadata.last_result = {"held": True}  # of a trial without any, Tune prints a line
                tune_controller.stop_trial(trial)
            return None
        return super().choose_trial_to_run(tune_controller)


class InterruptedLaunchError(Exception):
    """Replaces KeyboardInterrupt, after which Tune does not clean up."""


def _kill_actors(trials: list[Trial]) -> None:
    """Kill the busy actors: Tune would wait for their attempts to end. Their hosts die with them."""
    for actor in (trial.temporary_state.ray_actor for trial in trials):
        if actor is not None:
            ray.kill(actor)
