"""What a sweep was run with: enough to say later why two results differ."""

from __future__ import annotations

import platform
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.execution.clock import SystemClock

if TYPE_CHECKING:
    from orchestrator.cli.session import Session
    from orchestrator.config import Inputs
    from orchestrator.contracts.sweep import SweepRecord
    from orchestrator.execution.launcher import ClusterChoice

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "ray", "mlflow")
_CHECKOUT = Path(__file__).parents[3]


def version() -> str:
    """Return the version of the installed distribution; that of pyproject.toml in a checkout which is on the
    path without being installed."""
    try:
        return version_of("frontier-sweeps")
    except PackageNotFoundError:
        return str(tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]["version"])


def record_of(session: Session, cluster: ClusterChoice) -> SweepRecord:
    """Return the record of the sweep that is about to run, with what it is run with."""
    origins = provenance(session.inputs)
    if cluster.insecure and cluster.address:
        origins["cluster"] = "joined whether it asks for a token or not (--insecure-cluster)"
    return session.plan.record(written_at=SystemClock().now(), frontier_version=version(), provenance=origins)


def provenance(inputs: Inputs) -> dict[str, str]:
    """Versions, the platform, digests of worker code and data, and the commit where there is one."""
    versions = {
        "frontier": version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "worker code": inputs.code[:16],
        "metric definitions": inputs.metrics,
        **{f"data of {task}": digest[:16] for task, digest in sorted(inputs.data.items()) if digest},
    }
    for package in _PACKAGES:
        try:
            versions[package] = version_of(package)
        except PackageNotFoundError:
            continue
    commit = _commit()
    return versions | ({"commit": commit} if commit else {})


def _commit() -> str | None:
    """Return the commit of the checkout that holds this package; None if it was installed without one."""
    if not (_CHECKOUT / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(_CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607, the git that the user has
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
