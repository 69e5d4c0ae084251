"""A port of a pod on this machine, through the API server: no Ingress, nothing opened to the network."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from orchestrator.errors import LaunchError


class Endpoint(Protocol):
    """A connected socket, or what the Kubernetes client has in place of one."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def shutdown(self, how: int, /) -> None: ...


Connect = Callable[[], Endpoint]  # a new one to the pod
_CHUNK = 64 * 1024


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    connect: Connect
    tell: Callable[[str], None]


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            remote = self.server.connect()
        except LaunchError as error:
            self.server.tell(str(error))
            return
        up = threading.Thread(target=_pump, args=(self.request, remote), daemon=True)
        up.start()
        _pump(remote, self.request)
        up.join()


@contextmanager
def forwarded(connect: Connect, port: int, tell: Callable[[str], None]) -> Iterator[int]:
    """Listen on 127.0.0.1 and yield the port; `port` 0 takes a free one. Each connection calls `connect`
    again, so a replaced pod is found."""
    try:
        server = _Server(("127.0.0.1", port), _Handler)
    except OSError as error:
        raise LaunchError(
            f"port {port} of this machine cannot be had ({error.strerror})\n    -> give another with --port"
        ) from None
    server.connect, server.tell = connect, tell
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _pump(source: Endpoint, sink: Endpoint) -> None:
    """Until either side closes; then both are shut, so that the other direction ends too."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    for endpoint in (source, sink):
        with contextlib.suppress(OSError):
            endpoint.shutdown(socket.SHUT_RDWR)
