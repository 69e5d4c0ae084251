"""Run attempts in processes forked from a warm one. Standard library only, because drivers import it.

    driver --JSON lines--> warm template (`workers.runtime.template`) --fork--> one attempt at a time

Starting an attempt then costs a fork instead of seconds of imports, and its memory is fully freed afterwards.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.contracts.child_processes import python_module, safe_environment
from orchestrator.contracts.credentials import without_credentials
from orchestrator.errors import LaunchError
from workers.runtime.shared_templates import SharedTemplate, server_directory

SECRET_BYTES = 32
_TEST_SECONDS = 120.0  # for the GPUs: one that hangs has failed
_ENDED = (
    "the warm worker process ended{}\n"
    "    -> check memory, and that `python -m workers.runtime.template` starts in this environment"
)


@dataclass(frozen=True)
class Node:
    """One node of an attempt on several nodes, and the address where the ranks meet."""

    number: int  # from 0, which has the first ranks
    master: str  # address of node 0
    port: int
    secret: str = field(repr=False)  # of the attempt, by which its ranks authenticate each other


class AttemptHost:
    """Run attempts, one at a time, in processes forked from a template that it keeps.

    `threads` limits the template's thread pools; each attempt sets torch's threads to its granted cores.
    `gpus`: UUIDs of the GPUs that its attempts see; without any they see what this process sees. CUDA reads
    them once, so each choice of GPUs needs its own template. `launch`: hosts on this machine with the same
    one share what their templates import, for the `threads` of the first one; they must not see GPUs.
    """

    def __init__(
        self, threads: int | None = None, gpus: Sequence[str] = (), launch: str | None = None
    ) -> None:
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
        self._environment = without_credentials(safe_environment(os.environ | visible))
        self._sending = threading.Lock()
        self._template = self._new_template(threads, launch)

    def _new_template(
        self, threads: int | None, launch: str | None
    ) -> subprocess.Popen[bytes] | SharedTemplate:
        """Have a template forked, or start one, in a session of its own: Ctrl-C in a terminal is for the
        driver, which then decides."""
        if launch is not None:
            with suppress(OSError):  # where nothing can be shared, each template imports for itself
                return SharedTemplate(server_directory(launch), threads, self._environment)
        return subprocess.Popen(
            python_module("workers.runtime.template", *([str(threads)] if threads is not None else [])),
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, order_path: Path, timeout: float | None = None, node: Node | None = None) -> int:
        """Run an order in new processes, one or those of the order's ranks that belong to `node`, and wait
        for their end. Return the exit code: 0 when there is an outcome, negative when a signal ended it, else
        one of `contracts.exit_codes`. After `timeout` seconds they are killed.

        Raises LaunchError if the template is gone: start another host.
        """
        node_request = {} if node is None else {"node": asdict(node)}
        self._send({"order": str(order_path.resolve()), "at": time.monotonic(), **node_request})
        assert self._template.stdout is not None
        if timeout is not None and not select.select([self._template.stdout], [], [], timeout)[0]:
            self.interrupt()
        return self._answer("code")

    def listen(self, address: str) -> int:
        """Reserve and return the port of `address` at which the ranks of the next attempt meet, if it has
        several nodes and this is the first. Raises LaunchError as `run` does."""
        self._send({"listen": address})
        return self._answer("port")

    def _answer(self, key: str) -> int:
        assert self._template.stdout is not None
        answer = self._template.stdout.readline()
        if not answer:
            code = self._template.wait()
            raise LaunchError(_ENDED.format("" if code is None else f" (exit code {code})"))
        return int(json.loads(answer)[key])

    def gpus_work(self) -> bool:
        """Return whether each GPU that the attempts see still computes, tested in a separate process."""
        test = subprocess.Popen(
            python_module("workers.runtime.gpu_test"),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return test.wait(_TEST_SECONDS) == 0
        except subprocess.TimeoutExpired:
            test.kill()  # no wait: a process that hangs in the driver cannot even be killed
            return False

    def interrupt(self, grace_seconds: float = 0.0) -> None:
        """End the running attempt, if any, with all its processes; call this from another thread. With a
        grace period the processes get SIGTERM first, save a checkpoint, and are killed when the period is
        over."""
        self._send({"interrupt": grace_seconds})

    def close(self) -> None:
        """End the template, and the running attempt, if any."""
        assert self._template.stdin is not None
        with self._sending, suppress(BrokenPipeError):  # it is gone, and was sent an interrupt
            self._template.stdin.close()
        self._template.wait()

    def _send(self, request: dict[str, Any]) -> None:
        assert self._template.stdin is not None
        try:
            with self._sending:
                self._template.stdin.write(json.dumps(request).encode() + b"\n")
                self._template.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise LaunchError(_ENDED.format("")) from None
