"""One attempt after another through one host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from execution_fakes import make_trial

from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import LaunchError
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import Workplace
from orchestrator.execution.worker_slot import Slot


class TimedHost:
    """Each attempt takes `seconds` of virtual time; the host kills it at its limit, and is lost at `lost`."""

    def __init__(self, clock: VirtualClock, seconds: float, lost: set[int] | None = None) -> None:
        self.clock, self.seconds, self.lost, self.ran = clock, seconds, lost or set(), 0

    def run(self, order_path: Path, timeout: float | None = None) -> int:
        self.ran += 1
        if self.ran in self.lost:
            raise LaunchError("gone")
        spent = self.seconds if timeout is None else min(self.seconds, timeout)
        self.clock.advance_to(self.clock.now() + spent)
        return -signal.SIGKILL if spent < self.seconds else 1

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


def place(tmp_path: Path, limit: float | None) -> Workplace:
    return Workplace(tmp_path, cache_dir=tmp_path, timeout_seconds=limit)


def test_an_attempt_over_its_limit_is_a_timeout(tmp_path: Path) -> None:
    clock = VirtualClock()
    slot = Slot(lambda threads: TimedHost(clock, 50.0), 1, place(tmp_path, 20.0), clock)
    ended = slot.attempt(make_trial("a"))
    assert ended is not None
    assert ended.outcome.failure is not None
    assert ended.outcome.failure.kind is FailureKind.TIMEOUT
    assert ended.bill.released_at - ended.bill.allocated_at == 20.0


def test_an_attempt_within_its_limit_is_judged_by_its_exit(tmp_path: Path) -> None:
    clock = VirtualClock()
    slot = Slot(lambda threads: TimedHost(clock, 10.0), 1, place(tmp_path, 20.0), clock)
    ended = slot.attempt(make_trial("a"))
    assert ended is not None
    assert ended.outcome.failure is not None
    assert ended.outcome.failure.kind is FailureKind.BUG


def test_a_lost_host_is_replaced(tmp_path: Path) -> None:
    clock = VirtualClock()
    hosts: list[TimedHost] = []

    def new(threads: int) -> TimedHost:
        hosts.append(TimedHost(clock, 1.0, lost={2} if not hosts else set()))
        return hosts[-1]

    slot = Slot(new, 1, place(tmp_path, None), clock)
    kinds = []
    for _ in range(3):
        ended = slot.attempt(make_trial("a"))
        assert ended is not None
        assert ended.outcome.failure is not None
        kinds.append(ended.outcome.failure.kind)
    assert kinds == [FailureKind.BUG, FailureKind.PREEMPTED, FailureKind.BUG]
    assert len(hosts) == 2


def test_records_have_the_umask_of_the_driver_wherever_the_slot_is(tmp_path: Path) -> None:
    clock = VirtualClock()
    os.umask(0o022)
    shared = replace(place(tmp_path, None), umask=0o007)
    slot = Slot(lambda threads: TimedHost(clock, 10.0), 1, shared, clock)
    assert slot.attempt(make_trial("a")) is not None
    modes = {oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*.json")}
    assert modes == {"0o660"}


def test_importing_the_launchers_loads_neither_ray_nor_the_training_stack() -> None:
    code = (
        "import sys, orchestrator.execution.run, orchestrator.execution.local_launcher, "
        "orchestrator.execution.ray.launcher, orchestrator.execution.simulated_launcher; "
        "print(*{'ray', 'torch', 'mlflow', 'transformers', 'pynvml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
