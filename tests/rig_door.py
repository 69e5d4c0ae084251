"""From the network of a rig to a server out here, which listens on loopback alone and goes on doing so."""

from __future__ import annotations

import ctypes
import os
import socket
import socketserver
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Thread

_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET of <linux/sched.h>


class Door:
    """Connections to `address`, in the network namespace `space`, go to the same port of loopback out here.

    A socket stays in the namespace that it was made in, whoever holds it: ours is made by a thread that has
    gone there. Nothing of it shows on the machine's own network.
    """

    def __init__(self, space: str, address: str, port: int) -> None:
        self._server = _Porter((address, port), _Passage, bind_and_activate=False)
        self._server.socket.close()
        with ThreadPoolExecutor(1) as traveller:
            self._server.socket = traveller.submit(_listen, space, address, port).result()
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Porter(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False  # a node that was cut off never says goodbye

    def handle_error(self, *_: object) -> None:
        """A node that dies leaves its connections as they are."""


class _Passage(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        port = self.server.server_address[1]
        with socket.create_connection(("127.0.0.1", port)) as server:
            answers = Thread(target=_carry, args=(server, self.request), daemon=True)
            answers.start()
            _carry(self.request, server)
            answers.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _listen(space: str, address: str, port: int) -> socket.socket:
    """In a thread that ends afterwards: it does not come back."""
    there = os.open(Path("/run/netns", space), os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(there, _NETWORK_NAMESPACE):
            raise OSError(ctypes.get_errno(), f"the network {space} cannot be entered")
        return socket.create_server((address, port))
    finally:
        os.close(there)
