"""One driver a sweep, in a directory or an object store: a lease with a heartbeat.

A lease is an object with a number of its own, `<sweep>/lease/<number>.json`; the highest number holds. To
take over is to create the next number, which the store grants to one of many; a holder writes to its own
number only, so one that was cut off and comes back finds a higher number, and stops. It asks no lock of the
file system: those of a shared mount do not hold.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.record import Record
from orchestrator.errors import HeldError, LedgerError, StorageError
from orchestrator.storage.store import Store, claim

BEAT_SECONDS = 10.0
EXPIRES_SECONDS = 60.0  # after the last heartbeat; clocks of drivers must agree to well within it


class Holder(Record):
    host: str
    pid: int
    machine: str  # kernel and process space: in the same one a dead pid is a dead driver
    token: str
    beat_at: float  # Unix time
    released: bool = False


class Lease:
    def __init__(
        self,
        store: Store,
        sweep: str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store, self._sweep, self._now, self._sleep = store, sweep, now, sleep
        self._token = secrets.token_hex(8)
        self._number = 0

    def acquire(self) -> None:
        """Take the lease. A holder on this machine is checked by its process. For another machine, wait until
        its heartbeat has expired, at most EXPIRES_SECONDS; one that continues is a running driver. Raises
        HeldError, naming host, process and age, if there is one."""
        first: tuple[int, float] | None = None
        while True:
            number, holder = self._newest()
            if holder is None or not _at_work(holder, self._now()):
                if self._take(number + 1):
                    return
                continue  # another driver was faster
            beat = (number, holder.beat_at)
            first = first or beat
            if beat != first or holder.machine == _machine():
                raise HeldError(self._refusal(holder))
            self._sleep(BEAT_SECONDS / 4)

    def driver(self) -> str | None:
        """Return the process that holds the lease; None if there is none, or it is seen to be dead."""
        _, holder = self._newest()
        if holder is None or not _at_work(holder, self._now()):
            return None
        return f"process {holder.pid} on {holder.host}"

    def driver_here(self) -> int | None:
        """Return the process id of the driver if it runs on this machine, in a process space that this
        process sees; None if it does not."""
        _, holder = self._newest()
        if holder is None or holder.machine != _machine() or not _at_work(holder, self._now()):
            return None
        return holder.pid

    def _take(self, number: int) -> bool:
        if not claim(self._store, self._key(number), self._content()):
            return False
        self._number = number
        keys = sorted(self._store.listing(self._directory))
        if keys[-1] > self._key(number):  # two others came and went since we looked: their numbers are higher
            return False
        for key in keys[:-1]:
            self._store.delete(key)
        return True

    def renew(self) -> None:
        """A heartbeat. Raises HeldError where another driver has taken over, and StorageError."""
        self.check()
        self._store.put(self._key(self._number), self._content())

    def check(self) -> None:
        """Raise HeldError if another driver has taken over."""
        number, holder = self._newest()
        if number > self._number:
            by = f"process {holder.pid} on {holder.host}" if holder else "another driver"
            raise HeldError(
                f"{self._sweep}: {by} has taken this sweep over, as this driver gave no sign of life for "
                f"{EXPIRES_SECONDS:g} s; it stops here\n    -> nothing to do: the other one continues"
            )

    def release(self) -> None:
        with suppress(LedgerError, StorageError):  # it expires by itself
            self.check()
            self._store.put(self._key(self._number), self._content(released=True))

    def _newest(self) -> tuple[int, Holder | None]:
        keys = sorted(self._store.listing(self._directory))
        if not keys:
            return 0, None
        number = int(Path(keys[-1]).stem)
        content = self._store.get(keys[-1])
        try:
            return number, None if content is None else Holder.model_validate_json(content)
        except ValidationError:
            raise LedgerError(
                f"{keys[-1]}: is no lease of this version\n    -> delete it once no driver runs"
            ) from None

    def _content(self, released: bool = False) -> bytes:
        holder = Holder(
            host=socket.gethostname(),
            pid=os.getpid(),
            machine=_machine(),
            token=self._token,
            beat_at=self._now(),
            released=released,
        )
        return holder.model_dump_json().encode()

    def _refusal(self, holder: Holder) -> str:
        age = max(0.0, self._now() - holder.beat_at)
        return (
            f"{self._sweep}: another driver runs this sweep: process {holder.pid} on {holder.host}, "
            f"last heard of {age:.0f} s ago\n"
            "    -> wait until it is done, or end that process; its finished trials are kept"
        )

    @property
    def _directory(self) -> str:
        return f"{self._sweep}/{layout.LEASE}"

    def _key(self, number: int) -> str:
        return f"{self._directory}/{number:08d}.json"


@contextmanager
def hold(lease: Lease, stop: Callable[[], object], every: float = BEAT_SECONDS) -> Iterator[None]:
    """Hold the lease and keep it alive. Where another driver takes over, `stop` is called from another
    thread: it should raise KeyboardInterrupt here, which leaves as a HeldError."""
    lease.acquire()
    over, lost = threading.Event(), list[HeldError]()

    def beat() -> None:
        while not over.wait(every):
            try:
                lease.renew()
            except StorageError:
                continue  # if no other driver takes over meanwhile, it is still ours
            except HeldError as taken:
                lost.append(taken)
                stop()
                return

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        if lost:
            raise lost[0] from None
        raise
    finally:
        over.set()
        thread.join()
        if not lost:
            lease.release()


def _at_work(holder: Holder, now: float) -> bool:
    if holder.released or now - holder.beat_at > EXPIRES_SECONDS:
        return False
    return holder.machine != _machine() or _lives(holder.pid)


def _lives(pid: int) -> bool:
    """Return whether the process runs; a zombie, which has ended without being reaped, does not."""
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def _machine() -> str:
    """Identify the running kernel and the namespace of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return secrets.token_hex(8)  # unique: then only time decides
