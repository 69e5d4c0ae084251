"""One process per launch and machine that has imported the libraries, and forks the templates of its slots.

    python -m workers.runtime.fork_server DIRECTORY [THREADS]

Standard input is a listening Unix socket in DIRECTORY. Each client sends the two pipes of a template, for its
requests and answers, and keeps the connection as long as it wants the server to stay. A template is on its
own once it is forked: it outlives the server. The server ends, and deletes the directory, when the last
connection is closed.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from workers.runtime.shared_templates import DESCRIPTORS, delete_unless
from workers.runtime.template import serve_forked, warm_up

_SECONDS = 30.0  # for a client that has connected to send its pipes


class _Server:
    def __init__(self, listener: socket.socket, directory: Path, forkable: bool) -> None:
        self._listener, self._directory, self._forkable = listener, directory, forkable
        self._clients: set[socket.socket] = set()

    def run(self) -> None:
        while self._clients or not delete_unless(self._has_news, self._directory):
            for ready in select.select([self._listener, *self._clients], [], [])[0]:
                if ready is self._listener:
                    self._fork_template(self._listener.accept()[0])
                else:  # clients send nothing more: this one is gone
                    self._clients.remove(ready)
                    ready.close()

    def _has_news(self) -> bool:
        return bool(select.select([self._listener], [], [], 0)[0])

    def _fork_template(self, client: socket.socket) -> None:
        client.settimeout(_SECONDS)
        pipes: list[int] = []
        with suppress(OSError):
            pipes = socket.recv_fds(client, 1, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)[1]
        if len(pipes) == DESCRIPTORS and os.fork() == 0:
            self._become_template(client, *pipes)
        for pipe in pipes:
            os.close(pipe)
        self._clients.add(client)

    def _become_template(self, client: socket.socket, requests: int, answers: int) -> None:
        try:
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for inherited in (self._listener, client, *self._clients):
                inherited.close()
            serve_forked(requests, answers, self._forkable)
        finally:
            os._exit(1)


def main(arguments: list[str]) -> None:
    if os.fork():  # a child of the slot would be killed by Ray as soon as that slot ends
        os._exit(0)
    listener = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)  # no template may keep the socket open
    forkable = warm_up(int(arguments[1]) if len(arguments) > 1 else None)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no template waits for its server to collect it
    _Server(listener, Path(arguments[0]), forkable).run()


if __name__ == "__main__":
    main(sys.argv[1:])
