"""The checks of one machine: of a laptop, a workstation, or the head's pod in a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cli.entry import TELLS_NOBODY
from orchestrator.cli.strict.files import others_can_read, storage
from orchestrator.cli.strict.services import mlflow, passwords, ray
from orchestrator.cli.strict.surroundings import Surroundings
from orchestrator.cli.strict.versions import versions
from orchestrator.contracts.credentials import is_secret
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.units import quantity

_OF_THE_HUB = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}  # staging needs it
_MOST_NAMES = 6


def check_machine(here: Surroundings) -> Iterator[Checked]:
    """Yield one finding per risk."""
    yield _of_all_machines(here, versions())
    yield storage(here)
    yield mlflow(here)
    yield ray(here)
    yield passwords(here)
    yield _of_all_machines(here, _root(here))
    yield _of_all_machines(here, others_can_read(here))
    yield _of_all_machines(here, _telemetry(here))
    yield _of_all_machines(here, _secrets(here))


def _of_all_machines(here: Surroundings, check: Checked) -> Checked:
    """Return what was found here, unless trials run on machines that were not checked. The pods of a sweep
    are made by its overlay, which the cluster's check looks at."""
    if check.is_problem or here.address is None or here.is_pod:
        return check
    problem = f"the machines of the Ray cluster at {here.address} were not looked at"
    return Checked(check.risk, problem, "run without --address, or submit it to Kubernetes")


def _root(here: Surroundings) -> Checked:
    if here.user == 0:
        return Checked(Risk.ROOT, "this process runs as root", "run as an ordinary account; see `id -u`")
    return Checked(Risk.ROOT, "this process does not run as root")


def _telemetry(here: Surroundings) -> Checked:
    wrong = sorted(name for name, value in TELLS_NOBODY.items() if here.environment.get(name) != value)
    if wrong:
        settings = " ".join(f"{name}={TELLS_NOBODY[name]}" for name in wrong)
        return Checked(Risk.TELEMETRY, f"telemetry may be on: {', '.join(wrong)}", f"set {settings}")
    return Checked(Risk.TELEMETRY, "telemetry is off for Ray, the Hugging Face hub and MLflow")


def _secrets(here: Surroundings) -> Checked:
    """Name the variables, never their values."""
    variables = sorted(
        name
        for name, value in here.environment.items()
        if is_secret(name, value) and not _is_needed(name, here)
    )
    if not variables:
        return Checked(Risk.SECRETS, "the environment has no secrets but those that a sweep needs")
    shown = ", ".join(variables[:_MOST_NAMES]) + (", …" if len(variables) > _MOST_NAMES else "")
    return Checked(
        Risk.SECRETS,
        f"the environment has {quantity(len(variables), 'secret')} that no sweep needs: {shown}",
        f"start `frontier` by: env {' '.join(f'-u {name}' for name in variables)} frontier …",
    )


def _is_needed(name: str, here: Surroundings) -> bool:
    if name.startswith("MLFLOW_TRACKING_"):
        return here.uri.startswith("http")
    if name.startswith("AWS_"):
        return here.remote is not None or here.is_pod  # its secret belongs to all sweeps of the namespace
    return name in _OF_THE_HUB or (name.startswith("RAY_AUTH_") and here.address is not None)
