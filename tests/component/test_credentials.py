"""An attempt, which reads text and runs other people's weights, is given no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from workshop import wait_for

from workers.runtime.host import AttemptHost

SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HF_TOKEN",
    "KUBECONFIG",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_URI",
    "PGPASSWORD",
    "PIP_INDEX_URL",
    "RAY_AUTH_TOKEN",
    "WANDB_API_KEY",
)
OF_A_CLOUD = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
NEEDED = ("PATH", "HOME", "LD_LIBRARY_PATH", "NCCL_SOCKET_IFNAME", "TMPDIR", "HTTPS_PROXY")


def test_attempts_see_no_credentials_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SECRETS, *NEEDED[2:]):
        monkeypatch.setenv(name, "https://me:planted@host" if name == "PIP_INDEX_URL" else "planted")
    host = AttemptHost()
    try:
        environment = Path(f"/proc/{host._template.pid}/environ")
        wait_for(environment.read_bytes, "the start of Python")
        given = environment.read_text().split("\0")
    finally:
        host._template.kill()  # its imports are of no use here
        host.close()
    names = {entry.partition("=")[0] for entry in given}
    assert names.isdisjoint(SECRETS)
    assert names.issuperset(NEEDED)


def test_tune_gives_its_actors_no_credentials_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray writes the runtime environment of an actor into its logs, and shows it on its dashboard."""
    from ray.tune.execution import class_cache

    from orchestrator.execution.ray.hooks import propagate_no_credentials

    for name in OF_A_CLOUD:
        monkeypatch.setenv(name, "planted")
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", {*OF_A_CLOUD, "RAY_CHDIR_TO_TRIAL_DIR"})
    monkeypatch.setenv("RAY_CHDIR_TO_TRIAL_DIR", "0")
    propagate_no_credentials()
    options = class_cache._ActorClassCache().get(type("Any", (), {}))._default_options
    assert "planted" not in str(options)
    assert options["runtime_env"]["env_vars"]["RAY_CHDIR_TO_TRIAL_DIR"] == "0"
