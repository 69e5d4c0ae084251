"""The server that `frontier ui` starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

_SERVER = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
listening.accept()
"""
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_SERVER!r}])"
_UI = f"""
import os, sys
from orchestrator.cli.results.mlflow_server import run_until_signal
run_until_signal([sys.executable, "-c", {_PARENT!r}], os.environ)
"""


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_server_ends_with_the_command_that_started_it(told: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _UI],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": "."},
    ) as ui:
        assert ui.stdout is not None
        port = int(ui.stdout.readline())  # the grandchild listens
        ui.send_signal(told)
        assert ui.wait(30) in (128 + told, -told)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
