"""The warm process behind `workers.runtime.host`: it imports once, then forks the processes of each attempt.
If an import has started CUDA, which a fork cannot share, they start Python themselves.

    python -m workers.runtime.template [THREADS]

Requests come as JSON lines on standard input: {"order": path, "at": monotonic seconds}, and where the attempt
has several nodes "node": {"number", "master", "port", "secret"}; answered with {"code": exit code} when the
attempt has ended; {"interrupt": seconds of grace} meanwhile; {"listen": address} before an attempt on several
nodes, answered with {"port": where its ranks are to meet}. The template ends
when its standard input closes, and the attempt ends when the template dies.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import IO, Any

from workers.runtime.kept_data import KeptData, room_of_slot
from workers.runtime.rank_processes import RankGroup, Running, await_end, listen
from workers.runtime.warm_imports import fill_caches, import_warm, leave_out_bitsandbytes


class _Requests:
    """Read lines of a pipe without ever waiting for more than the pipe holds."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe  # it closes the descriptor when it goes
        self.descriptor = pipe.fileno()
        self._partial = b""
        self._lines: list[bytes] = []

    def next(self, seconds: float | None = None, *descriptors: int) -> dict[str, Any] | None:
        """Return the next request; None when `seconds` are over or one of `descriptors` is readable.

        Raises EOFError if the driver has closed its end or is dead.
        """
        while not self._lines:
            ready = select.select([self.descriptor, *descriptors], [], [], seconds)[0]
            if self.descriptor not in ready:
                return None
            received = os.read(self.descriptor, 65536)
            if not received:
                raise EOFError
            *self._lines, self._partial = (self._partial + received).split(b"\n")
        request: dict[str, Any] = json.loads(self._lines.pop(0))
        return request


def _serve(requests: _Requests, answers: IO[bytes], threads: int | None, forkable: bool) -> None:
    """Serve requests until the driver closes its end or dies. `forkable`: attempts are forked from here."""
    listening: socket.socket | None = None
    kept_data = KeptData(room_of_slot(threads))
    while True:
        request = requests.next()
        if request is not None and "listen" in request:
            listening = listen(request["listen"])  # replaces one that no attempt used
            _answer(answers, "port", listening.getsockname()[1])
        if request is None or "order" not in request:
            continue  # an interrupt that came too late
        order = Path(request["order"])
        _import_architecture(order)
        group = RankGroup.of(order, request["at"], request.get("node"))
        environment = kept_data.environment()
        running = Running(group.start(listening, execute=not forkable, environment=environment))
        listening = None
        await_end(running, requests.next)
        code = running.close(order.parent)
        kept_data.attempt_ended(code)
        _answer(answers, "code", code)


def _answer(answers: IO[bytes], key: str, number: int) -> None:
    answers.write(json.dumps({key: number}).encode() + b"\n")
    answers.flush()


def _import_architecture(order: Path) -> None:
    """Import the modelling module that the order needs, in the template, so that this happens once."""
    try:
        name = json.loads(order.read_bytes())["trial"]["backbone"]["architecture"].replace("-", "_")
        importlib.import_module(f"transformers.models.{name}.modeling_{name}")
    except Exception:
        return  # the attempt will report the problem


def warm_up(threads: int | None) -> bool:
    """Settle the environment and import the libraries. Return whether attempts can be forked from here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from workers.runtime.attempt import settle_environment

    settle_environment(threads)
    gc.disable()
    leave_out_bitsandbytes()
    forkable = import_warm()
    if forkable:
        fill_caches()
    gc.freeze()  # a collection in an attempt would copy all the pages that it shares with the template
    gc.enable()
    return forkable


def serve_forked(requests: int, answers: int, forkable: bool) -> None:
    """Be the template of a slot, in a process that a fork server has forked. The first request has the slot's
    environment and threads."""
    from workers.runtime.attempt import settle_environment

    lines = _Requests(os.fdopen(requests, "rb"))
    try:
        settings = lines.next()
        assert settings is not None  # there is no limit of time
        os.environ.clear()
        os.environ.update(settings["environment"])
        settle_environment(settings["threads"])
        _serve(lines, os.fdopen(answers, "wb"), settings["threads"], forkable)
    except EOFError:
        os._exit(0)


def main(arguments: list[str]) -> None:
    # Output of libraries must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threads = int(arguments[0]) if arguments else None
    forkable = warm_up(threads)
    try:
        _serve(_Requests(sys.stdin.buffer), answers, threads, forkable)
    except EOFError:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
