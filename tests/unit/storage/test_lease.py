"""One driver a sweep, over a store. Time is virtual."""

from __future__ import annotations

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.errors import HeldError, LedgerError
from orchestrator.storage import lease as leases
from orchestrator.storage.lease import BEAT_SECONDS, EXPIRES_SECONDS, Lease, hold
from orchestrator.storage.store import DirectoryStore


@dataclass
class Clock:
    at: float = 1000.0
    beating: list[Lease] = field(default_factory=list)  # renewed while another one waits

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        for lease in self.beating:
            lease.renew()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is from another machine, so that process numbers tell nothing."""
    numbers = iter(range(10_000))
    monkeypatch.setattr(leases, "_machine", lambda: f"machine {next(numbers)}")


def new(store: DirectoryStore, clock: Clock) -> Lease:
    return Lease(store, "sweep", now=clock.now, sleep=clock.sleep)


def test_a_driver_at_work_is_named(store: DirectoryStore, elsewhere: None) -> None:
    clock = Clock()
    first, second = new(store, clock), new(store, clock)
    first.acquire()
    clock.beating.append(first)
    with pytest.raises(LedgerError, match=rf"process {os.getpid()} on \S+, last heard of 0 s ago"):
        second.acquire()
    first.renew()
    assert clock.at <= 1000 + BEAT_SECONDS


def test_a_heartbeat_that_stopped_is_waited_out(store: DirectoryStore, elsewhere: None) -> None:
    clock = Clock()
    first, second = new(store, clock), new(store, clock)
    first.acquire()
    clock.at += BEAT_SECONDS
    second.acquire()
    assert 1000 + EXPIRES_SECONDS < clock.at < 1000 + EXPIRES_SECONDS + BEAT_SECONDS
    with pytest.raises(LedgerError, match="taken this sweep over"):
        first.renew()
    first.release()  # changes nothing
    second.renew()
    second.check()


def test_a_dead_process_of_this_machine_is_not_waited_for(store: DirectoryStore) -> None:
    clock = Clock()
    new(store, clock).acquire()
    [path] = store.listing("sweep/lease")
    content = json.loads(store.get(path) or b"")
    store.put(path, json.dumps(content | {"pid": 2**22 + 1}).encode())  # above what Linux hands out
    new(store, clock).acquire()
    assert clock.at == 1000


def test_a_living_process_of_this_machine_is_refused_at_once(store: DirectoryStore) -> None:
    clock = Clock()
    first, second = new(store, clock), new(store, clock)
    first.acquire()
    with pytest.raises(HeldError, match=f"process {os.getpid()}"):
        second.acquire()
    assert clock.at == 1000
    assert second.driver() == f"process {os.getpid()} on {socket.gethostname()}"
    clock.at += EXPIRES_SECONDS + 1  # it has stood still, or its number is another process's by now
    assert second.driver() is None
    second.acquire()


def test_a_released_lease_is_free(store: DirectoryStore, elsewhere: None) -> None:
    clock = Clock()
    for _ in range(3):
        lease = new(store, clock)
        lease.acquire()
        lease.release()
    assert clock.at == 1000


def test_of_many_that_take_over_one_holds(store: DirectoryStore, elsewhere: None) -> None:
    clock = Clock()
    new(store, clock).acquire()
    clock.at += EXPIRES_SECONDS + 1
    drivers = [new(store, clock) for _ in range(6)]

    def try_it(lease: Lease) -> bool:
        try:
            return lease._take(2)
        except LedgerError:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(try_it, drivers)).count(True) == 1


def test_who_lost_the_lease_is_stopped(store: DirectoryStore, elsewhere: None) -> None:
    """Its main thread is interrupted, and what leaves is a LedgerError that names the other driver."""
    clock, stopped = Clock(), threading.Event()

    def work() -> None:
        with hold(new(store, clock), stopped.set, every=0.01):
            clock.at += EXPIRES_SECONDS + 1
            assert not stopped.is_set() or store.listing("sweep/lease")
            new_number = "sweep/lease/00000002.json"
            [mine] = store.listing("sweep/lease")
            store.put(new_number, store.get(mine) or b"", if_absent=True)
            assert stopped.wait(30)
            raise KeyboardInterrupt

    with pytest.raises(LedgerError, match="taken this sweep over"):
        work()


def test_ctrl_c_stays_ctrl_c(store: DirectoryStore, elsewhere: None) -> None:
    clock = Clock()
    with pytest.raises(KeyboardInterrupt), hold(new(store, clock), lambda: None):
        raise KeyboardInterrupt
    new(store, clock).acquire()
    assert clock.at == 1000
