"""Trials as processes of this machine, without Ray: on its cores, and on its GPUs, whole or shared."""

from __future__ import annotations

import queue
import socket
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol

from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import LaunchError
from orchestrator.execution.clock import Clock, SystemClock
from orchestrator.execution.gpu_allotment import GpuAllotment
from orchestrator.execution.interrupts import interrupts
from orchestrator.execution.launcher import (
    AttemptEnded,
    Hold,
    LaunchEvent,
    Notify,
    Tick,
    TrialEnded,
    TrialOrder,
    TrialStarted,
    Workplace,
    in_order,
    never,
)
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step
from orchestrator.execution.worker_slot import AttemptHosts, Host, Slot

_TICK_SECONDS = 1.0


class LocalHostFactory(Protocol):
    def __call__(self, threads: int, gpus: tuple[str, ...] = ()) -> Host:
        """Make a host whose attempts see the GPUs with these UUIDs."""


class LocalLauncher:
    """At most `concurrency` trials at once, never more than `cpus` cores and the `gpus` (UUIDs) allocated."""

    def __init__(
        self,
        workplace: Workplace,
        policy: RetryPolicy,
        *,
        cpus: int,
        gpus: Sequence[str] = (),
        concurrency: int | None = None,
        host_factory: LocalHostFactory | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.workplace, self.policy, self.cpus = workplace, policy, cpus
        self.gpus = tuple(gpus)
        self.concurrency = concurrency or cpus
        self.host_factory, self.clock = host_factory or AttemptHosts(), clock or SystemClock()

    def run(self, trials: Sequence[TrialOrder], notify: Notify, hold: Hold = never) -> None:
        for trial in trials:
            self._refuse(trial)
        if trials:
            _Launch(self, in_order(trials), notify, hold).run()

    def session(self) -> AbstractContextManager[None]:
        """Nothing to share: a host dies with the thread that made it."""
        return nullcontext()

    @property
    def _seen(self) -> str:
        many = f"{len(self.gpus)} GPUs" if len(self.gpus) > 1 else "one GPU" if self.gpus else "no GPU"
        return f"this machine has {many} that CUDA_VISIBLE_DEVICES shows"

    def _refuse(self, trial: TrialOrder) -> None:
        if trial.resources.gpus > len(self.gpus):
            raise LaunchError(
                f"{trial.name}: resources.gpus is {trial.resources.gpus:g}, and {self._seen}\n"
                "    -> lower resources.gpus (0: cores alone), or use the launcher `ray` with the --address "
                "of a cluster that has them"
            )
        if trial.resources.nodes > 1:
            raise LaunchError(
                f"{trial.name}: wants {trial.resources.nodes} nodes; the local launcher has this one\n"
                "    -> use the launcher `ray` with the --address of a cluster, or set resources.nodes to 1"
            )
        if trial.resources.cpus > self.cpus:
            raise LaunchError(
                f"{trial.name}: wants {trial.resources.cpus} cores, and there are {self.cpus}\n"
                "    -> lower resources.cpus"
            )


class _Launch:
    """One call of `run`. Its threads live as long as it does: a host dies with the thread that made it."""

    def __init__(
        self, settings: LocalLauncher, waiting: list[TrialOrder], notify: Notify, hold: Hold
    ) -> None:
        self._settings, self._notify, self._hold = settings, notify, hold
        self._waiting = deque(waiting)
        # With its GPUs; a thread returns whether those are faulty.
        self._running: dict[Future[bool], tuple[TrialOrder, tuple[str, ...]]] = {}
        self._outcomes: dict[str, list[Outcome]] = {}  # of the trials that have begun
        self._withdrawn: list[str] = []  # GPUs
        self._gpus = GpuAllotment(settings.gpus)
        self._idle: dict[tuple[int, tuple[str, ...]], list[Slot]] = {}  # by threads and GPUs of the host
        self._slots: list[Slot] = []
        self._news: queue.SimpleQueue[LaunchEvent | Future[bool]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=settings.concurrency, thread_name_prefix="trial")

    def run(self) -> None:
        with interrupts() as pending:
            try:
                while self._waiting or self._running:
                    self._start_what_fits()
                    self._hear(_TICK_SECONDS)
                    pending.check()
            except KeyboardInterrupt:
                self._stop()
                raise
            except BaseException:
                self._notify = _nobody
                self._stop()
                raise
            finally:
                for slot in self._slots:
                    slot.close()
                self._pool.shutdown()

    def _start_what_fits(self) -> None:
        """Start trials in order. One that does not fit yet holds up those behind it, so that none starves."""
        while self._waiting and len(self._running) < self._settings.concurrency:
            if self._hold():
                for trial in self._waiting:
                    self._notify(TrialEnded(trial.name, self._settings.clock.now(), TrialState.UNFINISHED))
                self._waiting.clear()
                return
            free = self._settings.cpus - sum(t.resources.cpus for t, _ in self._running.values())
            if self._waiting[0].resources.cpus > free:
                return
            gpus = self._gpus.take(self._waiting[0].resources.gpus)
            if gpus is None:
                if not self._running:
                    raise self._too_few_gpus(self._waiting[0])
                return
            trial = self._waiting.popleft()
            if trial.name not in self._outcomes:
                self._notify(TrialStarted(trial.name, self._settings.clock.now(), socket.gethostname()))
            self._outcomes.setdefault(trial.name, [])
            future = self._pool.submit(self._run_trial, trial, gpus)
            self._running[future] = trial, gpus
            future.add_done_callback(self._news.put)

    def _hear(self, timeout: float) -> None:
        """Hand on one event, or take note that a trial's thread is through; a tick where nothing happens."""
        try:
            news = self._news.get(timeout=timeout)
        except queue.Empty:
            self._notify(Tick(self._settings.clock.now()))
            return
        if isinstance(news, Future):
            trial, gpus = self._running.pop(news)
            self._gpus.give_back(gpus, trial.resources.gpus)
            if news.result():
                self._withdraw(gpus)
                if next_step(self._outcomes[trial.name], self._settings.policy) is NextStep.ATTEMPT:
                    self._waiting.appendleft(trial)
        else:
            self._notify(news)

    def _run_trial(self, trial: TrialOrder, gpus: tuple[str, ...]) -> bool:
        """Run a trial in a thread. Return whether the slot is faulty: the trial may then have to run
        elsewhere."""
        clock, outcomes = self._settings.clock, self._outcomes[trial.name]
        idle = self._idle.setdefault((trial.resources.threads, gpus), [])
        slot = self._take_slot(idle, trial.resources.threads, gpus)
        while (step := next_step(outcomes, self._settings.policy)) is NextStep.ATTEMPT and not slot.faulty:
            ended = slot.attempt(trial)
            if ended is None:
                self._news.put(TrialEnded(trial.name, clock.now(), TrialState.UNFINISHED))
                return False
            outcomes.append(ended.outcome)
            self._news.put(AttemptEnded(trial.name, clock.now(), ended.outcome, ended.bill))
        if not slot.faulty:
            idle.append(slot)
        if step is not NextStep.ATTEMPT:
            state = TrialState.FINISHED if step is NextStep.FINISHED else TrialState.FAILED
            self._news.put(TrialEnded(trial.name, clock.now(), state))
        return slot.faulty

    def _take_slot(self, idle: list[Slot], threads: int, gpus: tuple[str, ...]) -> Slot:
        try:
            return idle.pop()
        except IndexError:
            settings = self._settings
            factory = partial(settings.host_factory, gpus=gpus)
            slot = Slot(factory, threads, settings.workplace, settings.clock, gpus)
            self._slots.append(slot)
            return slot

    def _withdraw(self, gpus: Sequence[str]) -> None:
        self._gpus.withdraw(gpus)
        self._withdrawn += [uuid for uuid in gpus if uuid not in self._withdrawn]

    def _too_few_gpus(self, trial: TrialOrder) -> LaunchError:
        return LaunchError(
            f"{trial.name}: resources.gpus is {trial.resources.gpus:g}, and {self._gpus.count} of "
            f"{len(self._settings.gpus)} GPUs are left: {', '.join(self._withdrawn)} failed their test\n"
            "    -> look at `nvidia-smi` and for Xid in `dmesg`, reset or replace them; the same command "
            "then continues from here"
        )

    def _stop(self) -> None:
        """Interrupt what runs, and wait until each attempt has written its bill and reported its end."""
        self._waiting.clear()
        while self._running:
            for slot in list(self._slots):
                slot.interrupt()
            self._hear(timeout=0.1)
        for trial in self._waiting:  # whose GPUs proved faulty meanwhile
            self._notify(TrialEnded(trial.name, self._settings.clock.now(), TrialState.UNFINISHED))


def _nobody(event: LaunchEvent) -> None:
    """Ignore an event, after a listener has failed."""
