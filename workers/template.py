"""The warm process behind `workers.host`: imports once, then forks a process for each attempt.

    python -m workers.template [THREADS]

Requests come as JSON lines on standard input: {"order": path, "at": monotonic seconds}, answered with
{"code": exit code} when the attempt has ended; {"interrupt": seconds of grace} meanwhile. Nobody outlives the
one above: the template ends when its standard input does, the attempt when the template dies.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
_WARM = ("torch", "transformers", "peft", "accelerate", "workers.trial", "workers.failures")


class _Requests:
    """Lines of a pipe, read without ever waiting for more than the pipe holds."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.descriptor = pipe.fileno()
        self._partial = b""
        self._lines: list[bytes] = []

    def next(self, seconds: float | None = None, *others: int) -> dict[str, Any] | None:
        """The next request; None when `seconds` are over or one of `others` is readable.

        Raises EOFError when the driver has closed its end, or is dead.
        """
        while not self._lines:
            ready = select.select([self.descriptor, *others], [], [], seconds)[0]
            if self.descriptor not in ready:
                return None
            received = os.read(self.descriptor, 65536)
            if not received:
                raise EOFError
            *self._lines, self._partial = (self._partial + received).split(b"\n")
        request: dict[str, Any] = json.loads(self._lines.pop(0))
        return request


def _serve(requests: _Requests, answers: IO[bytes]) -> None:
    """Until the driver closes its end, or dies."""
    while True:
        request = requests.next()
        if request is None or "order" not in request:
            continue  # an interrupt that came too late
        order = Path(request["order"])
        _import_architecture(order)
        template = os.getpid()
        child = os.fork()
        if child == 0:
            _become_attempt(order, template, began=request["at"])
        answers.write(json.dumps({"code": _await(child, requests)}).encode() + b"\n")
        answers.flush()


def _await(child: int, requests: _Requests) -> int:
    """The child's exit code, negative for a signal. Obeys interrupts meanwhile; ends with the driver."""
    ended = os.pidfd_open(child)
    deadline: float | None = None
    try:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            request = requests.next(left, ended)
            if select.select([ended], [], [], 0)[0]:
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if request is None or not request["interrupt"]:
                _signal_group(child, signal.SIGKILL)
                deadline = None
            else:
                deadline = time.monotonic() + request["interrupt"]
                _signal_group(child, signal.SIGTERM)
    except EOFError:
        _signal_group(child, signal.SIGKILL)
        raise
    finally:
        os.close(ended)


def _signal_group(child: int, number: signal.Signals) -> None:
    # The group exists once the child has made its session; the moment before, there is only the child.
    try:
        os.killpg(child, number)
    except ProcessLookupError:
        os.kill(child, number)


def _become_attempt(order: Path, template: int, began: float) -> None:
    """In the forked process; never returns."""
    code = 1
    try:
        # Tied to the thread that forked, which is the template's main one and lives as long as it does.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        if os.getppid() != template:
            os._exit(1)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        _run(order, began)
        code = 0
    finally:
        os._exit(code)


def _run(order: Path, began: float) -> None:
    """A crash that leaves no outcome leaves `crash.log`: code places, without the words of the exception."""
    from workers.attempt import run_attempt
    from workers.failures import code_places

    log = order.parent / "crash.log"
    with log.open("w") as crash:
        faulthandler.enable(crash)
        try:
            run_attempt(order, began)
        except Exception as error:
            crash.write("\n".join([type(error).__qualname__, *code_places(error), ""]))
            raise
        faulthandler.disable()
    log.unlink()


def _import_architecture(order: Path) -> None:
    """In the template, so that it is done once: the modelling module that the order will ask for."""
    try:
        name = json.loads(order.read_bytes())["trial"]["backbone"]["architecture"].replace("-", "_")
        importlib.import_module(f"transformers.models.{name}.modeling_{name}")
    except Exception:
        return  # the attempt will say what is wrong


def main(arguments: list[str]) -> None:
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from workers.attempt import settle_environment

    settle_environment(int(arguments[0]) if arguments else None)
    for module in _WARM:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection in an attempt would copy all the pages that it shares with the template
    try:
        _serve(_Requests(sys.stdin.buffer), answers)
    except EOFError:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
