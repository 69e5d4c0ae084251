"""Where a sweep would run: all that the checks of a machine look at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.storage.remote import Remote
from orchestrator.tracking.tracking_uri import tracking_uri


@dataclass(frozen=True)
class Surroundings:
    storage: Path  # the directory on this machine, of which `remote` may be the truth
    uri: str  # of MLflow
    environment: Mapping[str, str]
    data_dir: Path | None = None
    remote: Remote | None = None
    address: str | None = None  # of a Ray cluster
    insecure: bool = False  # joined whether it asks for a token or not
    user: int | None = None  # the effective one; None where the system has no such number

    @property
    def is_pod(self) -> bool:
        return "KUBERNETES_SERVICE_HOST" in self.environment


def surroundings(
    storage: Path,
    *,
    data_dir: Path | None = None,
    remote: Remote | None = None,
    address: str | None = None,
    insecure: bool = False,
) -> Surroundings:
    """Return those of this process. Raises ConfigError where MLFLOW_TRACKING_URI holds a login."""
    user = os.geteuid() if hasattr(os, "geteuid") else None
    uri = tracking_uri(storage, os.environ)
    return Surroundings(storage, uri, dict(os.environ), data_dir, remote, address, insecure, user)
