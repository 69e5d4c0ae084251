"""One process per launch and machine that has imported the libraries, and forks the templates of its slots.

    python -m workers.runtime.fork_server DIRECTORY [THREADS]

Standard input is a listening Unix socket in DIRECTORY. Each client sends the two pipes of a template, for its
requests and answers. A template is on its own once it is forked: it outlives the server. The server ends, and
deletes the directory, when the last template has ended.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from contextlib import suppress
from pathlib import Path

from workers.runtime.shared_templates import DESCRIPTORS, delete_unless
from workers.runtime.system_calls import open_process
from workers.runtime.template import serve_forked, warm_up

_SECONDS = 30.0  # for a client that has connected to send its pipes


class _Server:
    def __init__(self, listener: socket.socket, directory: Path, forkable: bool) -> None:
        self._listener, self._directory, self._forkable = listener, directory, forkable
        self._templates: dict[int, int] = {}  # processes, by descriptors that tell their end

    def run(self) -> None:
        # A client that waits for a place in a full queue holds the lock, so the queue is emptied first.
        while self._templates or self._has_news() or not delete_unless(self._has_news, self._directory):
            for ready in select.select([self._listener.fileno(), *self._templates], [], [])[0]:
                if ready in self._templates:
                    os.close(ready)
                    os.waitpid(self._templates.pop(ready), 0)
                else:
                    with self._listener.accept()[0] as client:
                        self._fork_template(client)

    def _has_news(self) -> bool:
        return bool(select.select([self._listener], [], [], 0)[0])

    def _fork_template(self, client: socket.socket) -> None:
        client.settimeout(_SECONDS)
        pipes: list[int] = []
        with suppress(OSError):  # the client is gone, or sees by its pipes that no process could be made
            pipes = socket.recv_fds(client, 1, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)[1]
            if len(pipes) == DESCRIPTORS:
                template = os.fork()
                if template == 0:
                    self._become_template(client, *pipes)
                self._templates[open_process(template)] = template
        for pipe in pipes:
            os.close(pipe)

    def _become_template(self, client: socket.socket, requests: int, answers: int) -> None:
        try:
            os.setsid()
            for inherited in (self._listener, client):
                inherited.close()
            for descriptor in self._templates:
                os.close(descriptor)
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
    _Server(listener, Path(arguments[0]), forkable).run()
    os._exit(0)  # Python would take a third of a second to take its modules apart


if __name__ == "__main__":
    main(sys.argv[1:])
