"""`frontier ui`: MLflow's own server on this machine, for as long as the command runs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType

from rich.console import Console

from orchestrator.contracts.child_processes import python_module, safe_environment
from orchestrator.errors import LedgerError
from orchestrator.tracking.mlflow_reader import runs_pages
from orchestrator.tracking.tracking_uri import SERVERS, artifact_root, store_file

_GRACE_SECONDS = 5.0  # for the processes of the server to end when asked to
_POLL_SECONDS = 0.05


def serve_mlflow(uri: str, sweep: str | None, port: int, console: Console) -> None:
    """Serve the store at `uri` until Ctrl-C; where a server serves it already, print the addresses.

    Raises LedgerError where a store of this machine does not exist yet.
    """
    file = store_file(uri)
    if file is not None and not file.exists():
        raise LedgerError(
            f"{file.parent}: no MLflow store here yet\n    -> run a sweep first, or give --storage"
        )
    pages = runs_pages(uri, sweep) if sweep else {"": "#/experiments"}
    served = uri.startswith(SERVERS)
    host = uri.rstrip("/") if served else f"http://127.0.0.1:{port}"
    for task, page in pages.items():
        of = f" of {task}" if task else ""
        console.print(f"MLflow UI{of}: {host}/{page}", highlight=False, soft_wrap=True)
    if served:
        return
    console.print("Ctrl-C ends it.", highlight=False)
    console.print("`frontier run` prints the address of the Ray dashboard, which lives as long as the run.")
    command = python_module("mlflow", "server", "--host", "127.0.0.1", "--port", str(port))
    command += ["--workers", "1", "--no-serve-artifacts", "--uvicorn-opts", "--log-level warning"]
    if (root := artifact_root(uri)) is not None:  # else MLflow names the working directory
        command += ["--default-artifact-root", root]
    more = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes that are not needed here
        "MLFLOW_BACKEND_STORE_URI": uri,  # arguments are seen by all accounts of the machine
    }
    run_until_signal(command, safe_environment(os.environ) | more)


def run_until_signal(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a server until it ends, or until this process gets a signal to end: then no process of the server
    is left. It has its own group of processes, because MLflow starts its web server as a child."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    with subprocess.Popen(command, env=dict(environment), start_new_session=True) as server:
        try:
            server.wait()
        finally:
            _end_group(server)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            server.poll()
            os.killpg(server.pid, 0)
            time.sleep(_POLL_SECONDS)
        os.killpg(server.pid, signal.SIGKILL)
