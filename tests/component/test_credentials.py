"""An attempt, which reads text and runs other people's weights, is given no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from workshop import wait_for

from workers.host import AttemptHost

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
