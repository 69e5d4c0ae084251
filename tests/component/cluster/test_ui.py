"""`frontier ui ray|mlflow`: a page of the cluster at a port of this machine, as a process of its own."""

from __future__ import annotations

import base64
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeApi

from .conftest import RUNNING, Frontier

PAGE = b"<title>the page</title>" * 500  # larger than one frame of the tunnel


@pytest.fixture
def page() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextmanager
def opened(tmp_path: Path, *arguments: str) -> Iterator[tuple[str, list[str]]]:
    """The page's address and what was said before it; Ctrl-C at the end must end it well."""
    code = "from orchestrator.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "ui", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig"), "COLUMNS": "200"},
    )
    said: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            if found:
                yield found[0], said
                break
        else:
            pytest.fail(f"no address was told: {said}")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


def encoded(**values: str) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


@pytest.fixture
def sweep_runs(api: FakeApi, submit: Frontier, page: int) -> None:
    api.scripts = [[]]
    submit("--no-follow")
    [job] = api.all("rayjobs")
    job["status"] = RUNNING
    api.pod("h", job["metadata"]["name"], "head")
    api.ports["h", 8265] = page
    api.put("secrets", "c", encoded(auth_token="0123456789"))


@pytest.mark.usefixtures("sweep_runs")
@pytest.mark.parametrize(("option", "shown"), [((), False), (("--show-token",), True)])
def test_the_ray_dashboard(tmp_path: Path, option: tuple[str, ...], shown: bool) -> None:
    with opened(tmp_path, "ray", *option) as (url, said):
        for _ in range(2):  # each request its own connection
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert answer.read() == PAGE
    assert "0123" in "".join(said)
    assert ("0123456789" in "".join(said)) is shown


def test_mlflow(api: FakeApi, host: str, page: int, tmp_path: Path) -> None:
    service = {"spec": {"selector": {"app": "mlflow"}, "ports": [{"port": 80, "targetPort": "http"}]}}
    api.put("services", "mlflow", service)
    container = {"name": "mlflow", "ports": [{"name": "http", "containerPort": 5000}]}
    pod = {"metadata": {"labels": {"app": "mlflow"}}, "spec": {"containers": [container]}}
    api.put("pods", "m", pod | {"status": {"phase": "Running"}})
    api.put(
        "secrets", "frontier-mlflow", encoded(MLFLOW_TRACKING_USERNAME="me", MLFLOW_TRACKING_PASSWORD="pw")
    )
    api.ports["m", 5000] = page
    with opened(tmp_path, "mlflow") as (url, said), urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == PAGE
    assert "me, --show-token" in "".join(said)
    assert "pw" not in "".join(said)


def test_no_sweep_runs(frontier: Frontier) -> None:
    said = frontier("ui", "ray")
    assert said.code == 3
    assert "no sweep runs in namespace frontier" in said.text


def test_no_mlflow(frontier: Frontier) -> None:
    said = frontier("ui", "mlflow")
    assert said.code == 3
    assert "no service mlflow" in said.text


@pytest.mark.usefixtures("sweep_runs")
def test_a_port_that_is_taken(frontier: Frontier, page: int) -> None:
    said = frontier("ui", "ray", "--port", str(page))
    assert said.code == 3
    assert "--port" in said.text


def test_a_word_that_is_no_target_is_a_sweep_of_this_machine(frontier: Frontier) -> None:
    said = frontier("ui", "ours")
    assert said.code == 2
    assert "there is no sweep 'ours'" in said.text
