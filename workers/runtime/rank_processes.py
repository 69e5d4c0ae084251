"""The forked processes of one attempt: one process, or one per rank. They end together.

Only several ranks leave `outcome.rank-<n>.json`: the outcome of a rank that failed alone. The first of them
becomes the attempt's own.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from orchestrator.contracts import layout
from orchestrator.contracts.child_processes import python_module
from orchestrator.contracts.exit_codes import FAILED_ALONE, reasons
from orchestrator.contracts.files import write_once
from workers.runtime.host import SECRET_BYTES
from workers.runtime.system_calls import open_process

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5.0  # for the others, once a rank has ended


@dataclass(frozen=True)
class RankGroup:
    """What an order says about its processes, and which of them run here."""

    order: Path
    began: float
    ranks: tuple[int, ...]  # of this node; empty: one process without ranks
    count: int
    master: str
    port: int
    secret: str = field(repr=False)  # by which its ranks authenticate each other

    @classmethod
    def of(cls, order: Path, began: float, node: dict[str, Any] | None) -> RankGroup:
        """Return the group of an order. `node`: number, master, port and secret, if there are several
        nodes."""
        try:
            resources = json.loads(order.read_bytes())["resources"]
            count, nodes = int(resources["processes"]), int(resources["nodes"])
            single = count == 1 and resources["sharding"] == "none"
        except (OSError, ValueError, KeyError, TypeError):
            count, nodes, single = 1, 1, True  # the attempt will report the problem
        if single:
            return cls(order, began, (), 1, "", 0, "")
        per_node = count // nodes
        first = node["number"] * per_node if node else 0
        master, port = (node["master"], node["port"]) if node else ("127.0.0.1", 0)
        secret = node["secret"] if node else token_hex(SECRET_BYTES)
        return cls(order, began, tuple(range(first, first + per_node)), count, master, port, secret)

    def start(
        self,
        listening: socket.socket | None = None,
        *,
        execute: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> dict[int, int]:
        """Fork the processes and return process -> rank. In a child it never returns. `listening`: where the
        ranks meet, on the first of several nodes. `execute`: each child starts Python itself and shares
        nothing with us. `environment` is added to that of all processes."""
        environment = environment or {}
        template = os.getpid()
        if not self.ranks:
            child = os.fork()
            if child == 0:
                _become(self.order, template, self.began, environment, execute)
            return {child: 0}
        if len(self.ranks) == self.count:
            listening = listen("127.0.0.1")
        port = listening.getsockname()[1] if listening else self.port
        children = {}
        for local_rank, rank in enumerate(self.ranks):
            child = os.fork()
            if child == 0:
                own = {
                    **environment,
                    "RANK": str(rank),
                    "LOCAL_RANK": str(local_rank),
                    "WORLD_SIZE": str(self.count),
                    "LOCAL_WORLD_SIZE": str(len(self.ranks)),
                    "MASTER_ADDR": self.master,
                    "MASTER_PORT": str(port),
                    "FRONTIER_SECRET": self.secret,
                }
                if len(self.ranks) == self.count:
                    own["GLOO_SOCKET_IFNAME"] = "lo"  # a machine's own name need not resolve
                if rank == 0 and listening is not None:
                    listening.set_inheritable(True)
                    own["FRONTIER_MASTER_FD"] = str(listening.fileno())
                _become(self.order, template, self.began, own, execute)
            children[child] = rank
        if listening is not None:
            listening.close()
        return children


def listen(address: str) -> socket.socket:
    """Listen at a free port of the address, and reserve it before its number is sent to the other nodes.
    Listen at all addresses of this machine if `address` is none of them, as behind NAT."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, 0))
    except OSError:
        listener.bind(("", 0))
    listener.listen(128)
    return listener


class Running:
    """The processes of a group, watched until the last one has ended."""

    def __init__(self, children: dict[int, int]) -> None:
        self._ranks = children
        self._open = {open_process(child): child for child in children}
        self._ended: list[tuple[int, int]] = []  # (rank, exit code) without those that we killed
        self._killed = False

    @property
    def descriptors(self) -> list[int]:
        """Return file descriptors that become readable once their process has ended."""
        return list(self._open)

    def reap(self) -> None:
        """Collect the exit codes of the processes that have ended."""
        for descriptor in select.select(self.descriptors, [], [], 0)[0]:
            child = self._open.pop(descriptor)
            os.close(descriptor)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if not (self._killed and code == -signal.SIGKILL and self._ended):
                self._ended.append((self._ranks[child], code))

    @property
    def over(self) -> bool:
        return not self._open

    @property
    def falling(self) -> bool:
        """Return whether the ranks that still run have nothing left to do: rank 0 has ended, or one
        failed."""
        return bool(self._open) and any(rank == 0 or code for rank, code in self._ended)

    def signal(self, number: signal.Signals) -> None:
        self._killed = self._killed or number is signal.SIGKILL
        for child in self._open.values():
            # A child's group exists once it has made its session; the moment before, there is only the child.
            try:
                os.killpg(child, number)
            except ProcessLookupError:
                os.kill(child, number)

    def close(self, directory: Path) -> int:
        """Return the exit code of the attempt: 0 if there is an outcome. Make the outcome of the first rank
        that failed alone the attempt's."""
        self._drop_output(directory)
        codes = [code for _, code in self._ended]
        if not any(codes):
            self._drop_logs(directory)
        if len(self._ranks) == 1 and FAILED_ALONE not in codes:
            return codes[0]
        if (directory / layout.OUTCOME).exists() and 0 in [c for rank, c in self._ended if rank == 0]:
            return 0
        causes = reasons(codes)
        killed = [code for code in causes if code < 0]
        if killed:
            return killed[0]
        drafts = sorted(directory.glob("outcome.rank-*.json"), key=lambda path: path.stat().st_mtime_ns)
        if drafts:
            write_once(directory / layout.OUTCOME, drafts[0].read_bytes())
            return 0
        return next((code for code in [*causes, *codes] if code), 0)

    def _drop_logs(self, directory: Path) -> None:
        """Delete the files that NCCL creates even without a warning, after a successful end."""
        for rank in self._ranks.values():
            layout.nccl_log(directory, rank).unlink(missing_ok=True)

    def _drop_output(self, directory: Path) -> None:
        """Delete printed output, which may quote text, unless it can explain why the attempt failed."""
        finished = _finished(directory / layout.OUTCOME)
        for rank in self._ranks.values():
            log = layout.output_log(directory, rank)
            if finished or (log.exists() and log.stat().st_size == 0):
                log.unlink(missing_ok=True)
        with suppress(OSError):  # another node's ranks still print there
            (directory / layout.SENSITIVE).rmdir()


def await_end(running: Running, next_request: Callable[..., dict[str, Any] | None]) -> None:
    """Wait until all processes have ended, and obey interrupts meanwhile. If the driver is gone, kill them
    and raise EOFError."""
    deadline: float | None = None
    try:
        while not running.over:
            if running.falling and deadline is None:
                deadline = time.monotonic() + _GRACE_SECONDS
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            watched = running.descriptors
            request = next_request(remaining, *watched)
            ended = bool(select.select(watched, [], [], 0)[0])
            running.reap()
            if ended:
                continue
            if request is None or not request["interrupt"]:
                running.signal(signal.SIGKILL)
                deadline = time.monotonic() + _GRACE_SECONDS
            else:
                deadline = time.monotonic() + request["interrupt"]
                running.signal(signal.SIGTERM)
    except EOFError:
        running.signal(signal.SIGKILL)
        raise


def _finished(outcome: Path) -> bool:
    try:
        return bool(json.loads(outcome.read_bytes())["state"] == "finished")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _shut_streams(log: Path) -> None:
    """Redirect what libraries print into the attempt's own folder, and make that the working directory."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        log.parent.mkdir(mode=0o700, exist_ok=True)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.chdir(log.parent)
    except OSError:
        output = nothing
    for descriptor in (1, 2):
        os.dup2(output, descriptor)


def _become(order: Path, template: int, began: float, environment: Mapping[str, str], execute: bool) -> None:
    """Turn the forked process into a rank of the attempt; never return."""
    code = 1
    try:
        # The signal depends on the forking thread: the template's main one, which ends with the template.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        if os.getppid() != template:
            os._exit(1)
        _shut_streams(layout.output_log(order.parent, int(environment.get("RANK", "0"))))
        os.environ.update(environment)
        if execute:
            command = python_module("workers.runtime.attempt", str(order), repr(began))
            os.execv(command[0], command)  # noqa: S606, a list without a shell
        from workers.runtime.attempt import run_logged

        code = run_logged(order, began)
    finally:
        os._exit(code)
