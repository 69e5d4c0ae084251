"""`frontier doctor --strict OVERLAY` against a cluster, and submissions over sensitive data."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_api import FakeApi
from own_data import write_example

from orchestrator.cluster import readiness
from orchestrator.contracts.risks import Risk

from .conftest import OVERLAY, RUNNING, Frontier

SAFE = {"runAsNonRoot": True, "runAsUser": 1000}


def pod(api: FakeApi, name: str, labels: dict[str, str], *, ready: bool | None = None, **spec: Any) -> None:
    """`ready`: None where it is not probed."""
    container = {"name": "main", "image": "frontier:1", "securityContext": SAFE} | spec.pop("container", {})
    body = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    conditions = [] if ready is None else [{"type": "Ready", "status": str(ready)}]
    api.put("pods", name, body | {"status": {"phase": "Running", "conditions": conditions}})


@pytest.fixture
def answer() -> Iterator[Callable[..., int]]:
    """Starts servers that answer with one status without a login, and another with one; gives their port."""
    servers = []

    def start(stranger: int, known: int = 401) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(known if self.headers.get("Authorization") else stranger)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ready(api: FakeApi) -> FakeApi:
    for claim in ("frontier-storage", "frontier-data"):
        api.put("persistentvolumeclaims", claim, {"status": {"phase": "Bound"}})
    return api


def lines(frontier: Frontier) -> tuple[dict[str, str], int]:
    said = frontier("doctor", "--strict", OVERLAY)
    found = [line.split(maxsplit=2) for line in said.text.splitlines()]
    return {risk.removesuffix(":"): f"{mark} {words}" for mark, risk, words in found}, said.code


def test_a_cluster_that_is_safe_passes_in_one_line_per_risk(
    ready: FakeApi, frontier: Frontier, answer: Callable[..., int]
) -> None:
    pod(ready, "mlflow-0", {"app.kubernetes.io/name": "mlflow"})
    pod(ready, "head", {"ray.io/node-type": "head"})
    ready.ports["mlflow-0", 5000] = answer(401)
    ready.ports["head", 8265] = answer(401)
    said, code = lines(frontier)
    assert list(said) == [f"{risk}" for risk in Risk]
    assert [line for line in said.values() if not line.startswith("ok ")] == []
    assert code == 0


def test_servers_that_let_strangers_in_are_found(
    ready: FakeApi, frontier: Frontier, answer: Callable[..., int]
) -> None:
    pod(ready, "mlflow-0", {"app.kubernetes.io/name": "mlflow"})
    pod(ready, "head", {"ray.io/node-type": "head"})
    ready.ports["mlflow-0", 5000] = answer(401, known=200)
    ready.ports["head", 8265] = answer(200)
    said, code = lines(frontier)
    assert "problem MLflow in pod mlflow-0 accepts a well-known password for admin" in said["passwords"]
    assert "problem the Ray cluster of pod head answers without a login -> start it" in said["ray"]
    assert said["mlflow"].startswith("ok ")
    assert code == 2


def test_pods_that_break_a_promise_are_found_without_their_secrets(
    ready: FakeApi, frontier: Frontier
) -> None:
    secret = "9f" * 24
    env = [{"name": "GIT_TOKEN", "value": secret}, {"name": "RAY_USAGE_STATS_ENABLED", "value": "1"}]
    loose = {"env": env, "securityContext": {}, "image": "registry:5000/own"}
    pod(ready, "own", {}, container=loose, volumes=[{"name": "v", "hostPath": {"path": "/notes"}}])
    ready.put("configmaps", "own", {"data": {"url": f"https://me:{secret}@db/x"}})
    ready.objects = {key: body for key, body in ready.objects.items() if "frontier-data" not in key}
    said, code = lines(frontier)
    for risk, words in {
        "versions": "registry:5000/own: the image is whatever was built last",
        "storage": "frontier-data is missing",
        "root": "these pods may run as root: own",
        "readable": "these pods keep files on their node",
        "telemetry": "RAY_USAGE_STATS_ENABLED",
        "secrets": "ConfigMap own: url, own: GIT_TOKEN",
    }.items():
        assert said[risk].startswith("problem "), risk
        assert words in said[risk]
    assert secret not in str(said)
    assert code == 2


def test_what_may_not_be_looked_at_has_not_passed(ready: FakeApi, frontier: Frontier) -> None:
    from kubernetes_api import RefusedError

    ready.refusals["list", "pods"] = RefusedError(403, "not allowed")
    said, code = lines(frontier)
    assert all(line.startswith("problem could not be looked at") for line in said.values())
    assert code == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(readiness, "LOOK_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
def test_servers_that_are_not_ready_are_waited_for_and_have_neither_passed_nor_failed(
    ready: FakeApi, frontier: Frontier
) -> None:
    pod(ready, "mlflow-0", {"app.kubernetes.io/name": "mlflow"}, ready=False)
    pod(ready, "head", {"ray.io/node-type": "head"}, ready=False)
    said = frontier("doctor", "--strict", OVERLAY)
    assert said.code == 0, said.text
    assert "waits for pod mlflow-0, head to be ready, so that it can be checked: 0 of at most" in said.text
    for words in (
        "not yet mlflow: pod mlflow-0 is not ready, so it was not checked",
        "not yet passwords: pod mlflow-0 is not ready",
        "not yet ray: pod head is not ready",
    ):
        assert words in said.text


def test_a_server_that_becomes_ready_meanwhile_is_checked(
    ready: FakeApi, frontier: Frontier, answer: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "LOOK_SECONDS", 0.01)
    pod(ready, "head", {"ray.io/node-type": "head"}, ready=False)
    ready.ports["head", 8265] = answer(200)

    def started() -> None:
        pod(ready, "head", {"ray.io/node-type": "head"}, ready=True)

    def first_look() -> None:
        ready.before["list", "pods"] = started

    ready.before["list", "configmaps"] = first_look
    said = frontier("doctor", "--strict", OVERLAY)
    assert said.code == 2, said.text
    assert "problem ray: the Ray cluster of pod head answers without a login" in said.text


@pytest.mark.usefixtures("impatient")
def test_a_pod_without_a_node_is_named_and_not_waited_for(ready: FakeApi, frontier: Frontier) -> None:
    unscheduled = [{"type": "PodScheduled", "status": "False"}]
    pod(ready, "head", {"ray.io/node-type": "head"})
    ready.pod("head", "other", "head", phase="Pending", conditions=unscheduled)
    said = frontier("doctor", "--strict", OVERLAY)
    assert "not yet ray: pod head is not ready" in said.text
    assert "waits for" not in said.text


@pytest.mark.usefixtures("impatient")
def test_a_ready_server_that_answers_nobody_has_not_passed(
    ready: FakeApi, frontier: Frontier, answer: Callable[..., int]
) -> None:
    with socket.socket() as shut:
        shut.bind(("127.0.0.1", 0))
        ready.ports["mlflow-0", 5000] = shut.getsockname()[1]
    pod(ready, "mlflow-0", {"app.kubernetes.io/name": "mlflow"}, ready=True)
    said = frontier("doctor", "--strict", OVERLAY)
    assert said.code == 2, said.text
    assert "waits for pod mlflow-0 to answer" in said.text
    assert "problem mlflow: MLflow in pod mlflow-0 does not answer" in said.text


@pytest.fixture
def sensitive(tmp_path: Path) -> Path:
    """A sweep over sensitive data, for pods that find its files below /data."""
    write_example(tmp_path)
    task = tmp_path / "mine" / "tasks" / "my-triage.yaml"
    task.write_text(task.read_text() + "data: sensitive\n")
    sweep = {"name": "ours", "models": ["demo-tiny"], "domains": ["general"], "methods": ["full"]}
    sweep |= {"tasks": ["my-triage"], "seeds": [1], "catalogues": ["mine"], "data_dir": "data"}
    (tmp_path / "sensitive.yaml").write_text(yaml.safe_dump(sweep))
    return tmp_path / "sensitive.yaml"


def test_a_sweep_over_sensitive_data_is_submitted_only_where_the_cluster_passes(
    ready: FakeApi, frontier: Frontier, sensitive: Path
) -> None:
    pod(ready, "own", {}, container={"securityContext": {}})
    words = ("submit", str(sensitive), "--overlay", OVERLAY, "--no-follow")
    refused = frontier(*words)
    assert refused.code == 2, refused.text
    assert "this cluster: root: these pods may run as root: own" in refused.text
    assert not ready.all("rayjobs")
    accepted = frontier(*words, "accepted_risks=[root]")
    assert "accepted risk root: these pods may run as root" in accepted.text, accepted.text
    assert ready.all("rayjobs"), accepted.text


@pytest.mark.usefixtures("impatient")
def test_a_head_of_somebody_else_that_starts_keeps_no_sensitive_sweep_away(
    ready: FakeApi, frontier: Frontier, sensitive: Path
) -> None:
    pod(ready, "theirs", {"ray.io/node-type": "head"}, ready=False)
    said = frontier("submit", str(sensitive), "--overlay", OVERLAY, "--no-follow")
    assert said.code == 0, said.text
    assert "not checked yet ray: pod theirs is not ready" in said.text
    assert ready.all("rayjobs")


def test_to_attach_to_a_sensitive_sweep_that_runs_asks_for_no_check(
    ready: FakeApi, frontier: Frontier, sensitive: Path
) -> None:
    words = ("submit", str(sensitive), "--overlay", OVERLAY, "--no-follow")
    assert frontier(*words).code == 0
    [job] = ready.all("rayjobs")
    job["status"] = RUNNING
    pod(ready, "own", {}, container={"securityContext": {}})
    said = frontier(*words)
    assert said.code == 0, said.text
    assert "is there already: attached" in said.text
    job["status"] = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}
    again = frontier(*words)
    assert again.code == 2
    assert "these pods may run as root: own" in again.text
    assert ready.all("rayjobs") == [job]
