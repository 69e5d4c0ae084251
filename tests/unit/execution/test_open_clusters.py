"""A cluster that asks nobody for a token is not joined unasked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from orchestrator.errors import LaunchError
from orchestrator.execution.ray.cluster import refuse_open

WITH_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "secret"}


@contextmanager
def dashboard(status: int) -> Iterator[str]:
    """One that answers everything with `status`, and keeps to itself what it was asked."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert "secret" not in str(self.headers)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [401, 403])
def test_a_cluster_that_asks_for_a_token_is_joined(status: int) -> None:
    with dashboard(status) as url:
        refuse_open("127.0.0.1:6379", url, WITH_TOKEN)


def test_a_cluster_that_answers_without_a_token_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy would be told what is asked
    with dashboard(200) as url, pytest.raises(LaunchError) as refused:
        refuse_open("127.0.0.1:6379", url, WITH_TOKEN)
    assert str(refused.value).startswith("the Ray cluster at 127.0.0.1:6379 answers without a token")
    assert "or set --insecure-cluster, which the report then states" in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "words"), [({}, "let this driver join without a token"), (WITH_TOKEN, "has no dashboard")]
)
def test_a_cluster_that_nobody_can_tell_of_is_refused(environment: dict[str, str], words: str) -> None:
    for url in (None, "127.0.0.1:1"):
        with pytest.raises(LaunchError, match=words):
            refuse_open("127.0.0.1:6379", url, environment)


def test_a_dashboard_on_the_loopback_of_another_machine_is_not_taken_for_one_of_this() -> None:
    with dashboard(401) as url, pytest.raises(LaunchError, match="where it cannot be asked from here"):
        refuse_open("head.invalid:6379", url, WITH_TOKEN)


@pytest.mark.parametrize("address", ["auto", "ray://localhost:10001", "[::1]:6379"])
def test_an_address_of_this_machine_may_have_its_dashboard_there(address: str) -> None:
    with dashboard(401) as url:
        refuse_open(address, url, WITH_TOKEN)
