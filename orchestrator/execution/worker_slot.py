"""One place where attempts run, one after another, through one warm host."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from orchestrator.contracts import layout
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import LaunchError, StorageError
from orchestrator.execution.attempt_end import abandon_attempt, close_attempt
from orchestrator.execution.attempt_records import outcomes_since, read_bill, read_outcome
from orchestrator.execution.attempts import open_attempt
from orchestrator.execution.clock import Clock
from orchestrator.execution.devices import gpu_name
from orchestrator.execution.exit_reasons import Ending, out_of_memory_kills
from orchestrator.execution.launcher import TrialOrder, Workplace
from orchestrator.execution.uploads import Delivery


class Host(Protocol):
    """Runs attempts as processes of their own; `workers.runtime.host.AttemptHost`, or a fake."""

    def run(self, order_path: Path, timeout: float | None = None) -> int:
        """Block until the attempt has ended; its exit code, negative for a signal. After `timeout` seconds
        it is killed. Raises LaunchError where the host itself is gone."""

    def gpus_work(self) -> bool:
        """Return whether each GPU that its attempts see still computes, tested in a separate process."""

    def interrupt(self) -> None:
        """Kill the attempt that runs, if any, from another thread. Raises LaunchError as above."""

    def close(self) -> None: ...


HostFactory = Callable[[int], Host]  # from the number of threads


@dataclass(frozen=True)
class AttemptHosts:
    """Makes the real hosts. Those on one machine share what their processes import, if they see no GPU."""

    launch: str = field(default_factory=lambda: token_hex(8))

    def __call__(self, threads: int, gpus: tuple[str, ...] = ()) -> Host:
        from workers.runtime.host import AttemptHost  # late: a fake needs nothing of the workers

        return AttemptHost(threads, gpus, None if gpus or visible_gpus() else self.launch)


@dataclass(frozen=True, slots=True)
class Ended:
    outcome: Outcome
    bill: Bill


class Slot:
    """Opens, runs and closes attempts. `interrupt` is final, and may come from another thread. `gpus`: UUIDs
    of those that its attempts see, where that is not all that this process sees.

    `faulty` once an attempt ended by a fault of its GPU, and the GPU failed its test afterwards: its owner
    gives it no more trials, and its GPU to no other slot.
    """

    def __init__(
        self, factory: HostFactory, threads: int, workplace: Workplace, clock: Clock, gpus: Sequence[str] = ()
    ) -> None:
        if workplace.umask is not None:
            os.umask(workplace.umask)
        self._gpus = gpus
        self._new_host = partial(factory, threads)
        self._workplace, self._clock = workplace.here(), clock
        self._host: Host | None = self._new_host()
        self.faulty = False
        self._proven = False  # a host has brought an attempt to its end
        self._interrupted = threading.Event()
        self._delivery = Delivery(self._workplace, pause=self._interrupted.wait)

    def outcomes_since(self, trial: str, before: int) -> list[Outcome]:
        """Return the outcomes of the attempts numbered above `before`, wherever they ran."""
        self._delivery.refresh(trial)
        return outcomes_since(self._workplace, trial, before)

    def attempt(self, trial: TrialOrder) -> Ended | None:
        """One attempt at the trial; None where it was interrupted before it had an outcome.

        Raises LaunchError where no host can be started, or the store of the sweep fails for long.
        """
        if self._interrupted.is_set():
            return None
        try:
            return self._attempt(trial)
        except StorageError:
            if self._interrupted.is_set():  # the next run on this machine delivers what there is
                return None
            raise

    def _attempt(self, trial: TrialOrder) -> Ended | None:
        gpu = gpu_name(self._gpus) if trial.resources.gpus else None
        self._delivery.prepare(trial)
        order = open_attempt(self._workplace, trial, self._clock.now(), self._delivery.claim)
        directory = Path(order.directory)
        with self._delivery.under_way(directory):
            asked_at = self._clock.now()
            ending = self._run(directory / layout.ORDER)
        now = self._clock.now()
        if self._interrupted.is_set() and read_outcome(directory) is None:
            abandon_attempt(order, now, gpu, asked_at)
            self._delivery.ended(directory)
            return None
        outcome, bill = close_attempt(order, ending, now, gpu, asked_at)
        if not self._delivery.ended(directory):
            outcome, bill = read_outcome(directory) or outcome, read_bill(directory) or bill
        if outcome.failure is not None and outcome.failure.kind is FailureKind.DEVICE:
            self.faulty = self._host is not None and not self._host.gpus_work()
        return Ended(outcome, bill)

    def _run(self, order_path: Path) -> Ending:
        limit = self._workplace.timeout_seconds
        kills, started = out_of_memory_kills(), self._clock.now()
        self._host = self._host or self._new_host()
        try:
            code: int | None = self._host.run(order_path, timeout=limit)
            self._proven = True
        except LaunchError:
            if not self._proven:  # it never worked: another host would not either
                raise
            code, self._host = None, None
        return Ending(
            code=code,
            timed_out=limit is not None and code != 0 and self._clock.now() - started >= limit,
            out_of_memory=code != 0 and kills is not None and (out_of_memory_kills() or 0) > kills,
        )

    def interrupt(self) -> None:
        self._interrupted.set()
        host = self._host
        if host is not None:
            with suppress(LaunchError):
                host.interrupt()

    def close(self) -> None:
        if self._host is not None:
            self._host.close()
