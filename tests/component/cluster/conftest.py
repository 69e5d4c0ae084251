"""The verbs against an API server of the tests' own; the client is the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden_overlays import GOLDEN
from kubernetes.config import kube_config
from kubernetes_api import FakeApi, serving
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cluster import follow
from orchestrator.errors import FrontierError

SWEEP: dict[str, Any] = {
    "name": "ours",
    "models": ["demo-tiny"],
    "domains": ["general"],
    "methods": ["full"],
    "tasks": ["demo-ner"],
    "seeds": [12, 34],
}
OVERLAY = str(GOLDEN / "local-cpu.yaml")

RUNNING = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "rayClusterName": "c", "jobId": "j"}
STARTING = {"jobDeploymentStatus": "Initializing", "rayClusterName": "c"}
SUCCEEDED = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}
CALM = [STARTING, RUNNING, SUCCEEDED]


def failed(reason: str = "AppFailed", message: str = "", ray: str = "FAILED") -> dict[str, Any]:
    return {"jobDeploymentStatus": "Failed", "jobStatus": ray, "reason": reason, "message": message}


@dataclass(frozen=True)
class Said:
    code: int
    text: str  # both streams
    out: str = ""


Frontier = Callable[..., Said]


@pytest.fixture
def api() -> FakeApi:
    """With a namespace, and a script for one calm sweep."""
    fake = FakeApi(scripts=[list(CALM)])
    fake.put("namespaces", "frontier", {})
    return fake


@pytest.fixture
def host(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(follow, "BREATH_SECONDS", 0.01)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    # The client reads the variable once, when it is imported.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)
    with serving(api, tmp_path / "kubeconfig") as address:
        yield address


@pytest.fixture
def frontier(host: str) -> Frontier:
    """Runs a command; what `main` would print of an error is at the end of the text."""

    def _frontier(*arguments: str) -> Said:
        result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
        if isinstance(result.exception, FrontierError):
            return Said(result.exception.exit_code, f"{result.output}{result.exception}")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.output, result.stdout)

    return _frontier


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., str]:
    """Writes a sweep file."""

    def _sweep(**keys: Any) -> str:
        file = tmp_path / "ours.yaml"
        file.write_text(yaml.safe_dump(SWEEP | keys))
        return str(file)

    return _sweep


@pytest.fixture
def submit(frontier: Frontier, sweep: Callable[..., str]) -> Frontier:
    def _submit(*arguments: str, **keys: Any) -> Said:
        return frontier("submit", sweep(**keys), "--overlay", OVERLAY, *arguments)

    return _submit


@pytest.fixture
def identity(api: FakeApi) -> Callable[[], str]:
    """The id of the one sweep in the cluster."""

    def _identity() -> str:
        [job] = api.all("rayjobs")
        return str(job["metadata"]["name"])

    return _identity
