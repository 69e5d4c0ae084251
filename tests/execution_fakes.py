"""Trials that need no data, and a host that carries out a script instead of training."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.metrics import MetricName, MetricValue
from orchestrator.contracts.outcome import Failure, Outcome
from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder, Cell, Digests, TrialSpec
from orchestrator.contracts.vocabulary import FailureKind, Phase, TaskKind
from orchestrator.errors import LaunchError
from orchestrator.execution.launcher import TrialOrder
from orchestrator.execution.simulated_launcher import SimulatedAttempt

FINISH = "finish"
KILLED = "killed"  # the child dies of SIGKILL and leaves a checkpoint
CRASH = "crash"  # the child exits with 1 and leaves nothing
HANG = "hang"  # until it is interrupted
FAULT = "fault"  # of the GPU, where the host's is faulty; elsewhere the attempt finishes
HOST_GONE = "host gone"  # the template dies under the attempt
ACTOR_GONE = "actor gone"  # the whole process that holds the host dies
SEEN_GPUS = "gpus.txt"  # in an attempt's directory: UUIDs of those that its host saw
Script = Mapping[str, Sequence[str]]  # task of the trial -> what its attempts do; the last one goes on

MIXED: Script = {
    "fine": (FINISH,),
    "killed-once": (KILLED, FINISH),
    "killed-always": (KILLED,),
    "bad-input": ("BAD_INPUT",),
    "crash": (CRASH,),
    "memory": ("OUT_OF_MEMORY",),
}


def make_trial(
    task: str,
    forecast: float | None = 10.0,
    *,
    seed: int = 1,
    cpus: int = 1,
    gpus: float = 0,
    fingerprint: str = "0123456789abcdef",
) -> TrialOrder:
    spec = TrialSpec(
        cell=Cell(model="tiny", domain="clinical", method="full", task=task),
        seed=seed,
        backbone=BackboneSpec(
            name="b", model="tiny", domain="clinical", architecture="bert", weights=HubWeights(hub="a/b")
        ),
        method=MethodSpec(name="full", entry="full", settings=Full()),
        task=TaskSpec(
            name=task,
            title=task,
            kind=TaskKind.CLASSIFICATION,
            domain="clinical",
            reader=TableReader(format="csv", files={}, text="text", label="label"),
            metric=MetricName.MACRO_F1,
        ),
        recipe=Recipe(learning_rate=1e-3),
        digests=Digests(data=None, weights=None, code="c", metrics="1"),
        fingerprint=fingerprint,
    )
    return TrialOrder(spec, Resources(cpus=cpus, gpus=gpus, processes=max(1, int(gpus))), forecast)


def act_of(script: Script, order: AttemptOrder) -> str:
    acts = script.get(order.trial.task.name, (FINISH,))
    return acts[min(order.attempt, len(acts)) - 1]


def make_outcome(
    order: AttemptOrder, failure: FailureKind | None = None, value: float = 0.5, at: float | None = None
) -> Outcome:
    ended = order.ordered_at if at is None else at
    return Outcome(
        trial=order.trial.name,
        fingerprint=order.trial.fingerprint,
        attempt=order.attempt,
        state="failed" if failure else "finished",
        failure=Failure(kind=failure, phase=Phase.TRAIN, message="scripted") if failure else None,
        metric=MetricName.MACRO_F1,
        test={} if failure else {MetricName.MACRO_F1: MetricValue(value=value)},
        started_at=order.ordered_at,
        ended_at=ended,
        micro_batch_size=order.pass_size,
        evaluation_batch_size=order.evaluation_size,
    )


@dataclass
class FakeHost:
    """The interface of `workers.runtime.host.AttemptHost`. A failure kind as an act writes that outcome."""

    script: Script
    threads: int
    gpus: tuple[str, ...] = ()
    faulty: bool = False  # its GPU

    def __post_init__(self) -> None:
        self._stop = threading.Event()

    def run(self, order_path: Path, timeout: float | None = None) -> int:
        order = AttemptOrder.model_validate_json(order_path.read_bytes())
        act = act_of(self.script, order)
        if self.gpus:
            (Path(order.directory) / SEEN_GPUS).write_text(",".join(self.gpus))
        if act == HANG:
            self._stop.wait(60)
            return -signal.SIGKILL
        if act == HOST_GONE:
            raise LaunchError("the host is gone")
        if act == ACTOR_GONE:
            os._exit(1)
        if act == CRASH:
            return 1
        if act == KILLED:
            (Path(order.directory) / "checkpoint" / f"step-{10 * order.attempt}").mkdir(parents=True)
            return -signal.SIGKILL
        if act == FAULT:
            act = FailureKind.DEVICE if self.faulty else FINISH
        outcome = make_outcome(order, None if act == FINISH else FailureKind(act))
        (Path(order.directory) / "outcome.json").write_text(outcome.model_dump_json())
        return 0

    def gpus_work(self) -> bool:
        return not self.faulty

    def interrupt(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()


@dataclass(frozen=True)
class FakeHosts:
    """The factory of fake hosts; it pickles, so that it gets into a Ray actor."""

    script: Script
    faulty: str | None = None  # a file to be made: the GPU of the host that makes it is faulty

    def __call__(self, threads: int, gpus: tuple[str, ...] = ()) -> FakeHost:
        return FakeHost(self.script, threads, gpus, faulty=self._first())

    def _first(self) -> bool:
        if self.faulty is None:
            return False
        try:
            Path(self.faulty).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def simulated(script: Script, trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
    """The same script for the simulated launcher."""
    act = act_of(script, order)
    seconds = trial.forecast_seconds or 5.0
    if act == KILLED:
        return SimulatedAttempt(seconds, FailureKind.PREEMPTED, checkpoint_step=10 * order.attempt)
    if act in (FINISH, HANG):
        return SimulatedAttempt(seconds, value=0.5)
    return SimulatedAttempt(seconds, FailureKind.BUG if act == CRASH else FailureKind(act))
