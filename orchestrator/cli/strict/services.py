"""The servers that a sweep talks to: whether they ask for a login, and refuse well-known passwords."""

from __future__ import annotations

from http import HTTPStatus

from orchestrator.cli.strict.surroundings import Surroundings
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.contracts.servers import KNOWN_LOGINS, MLFLOW_API, RAY_API, judged
from orchestrator.execution.open_services import status_of
from orchestrator.tracking.tracking_uri import PASSWORD, SERVERS, SQLITE, without_secrets

_KNOWN = {"password1234", "password", "admin", "changeme", "secret", "test", "mlflow", "minioadmin"}
_PASSWORDS = (PASSWORD, "RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY")
_LEAST_CHARACTERS = 12
_DASHBOARD = 8265


def mlflow(here: Surroundings) -> Checked:
    address = without_secrets(here.uri)
    if here.uri.startswith(SQLITE):
        return Checked(Risk.MLFLOW, "MLflow is a file of this account")
    if not here.uri.startswith(SERVERS):
        problem = f"{address} is no HTTP server: whether it asks for a login is unknown"
        return Checked(Risk.MLFLOW, problem, "set MLFLOW_TRACKING_URI to a server with a login, or unset it")
    return judged(
        Risk.MLFLOW, f"MLflow at {address}", status_of(here.uri.rstrip("/") + MLFLOW_API, proxies=True)
    )


def ray(here: Surroundings) -> Checked:
    if here.address is None:
        return Checked(Risk.RAY, "no Ray cluster is joined; a private one has a random token")
    if here.insecure:
        problem = f"--insecure-cluster joins {here.address} whether it asks for a token or not"
        return Checked(Risk.RAY, problem, "leave it out, and start that cluster with RAY_AUTH_MODE=token")
    host = here.address.removeprefix("ray://").rpartition(":")[0] or "127.0.0.1"
    status = status_of(f"http://{host}:{_DASHBOARD}{RAY_API}")
    return judged(Risk.RAY, f"the Ray cluster at {here.address}", status)


def passwords(here: Surroundings) -> Checked:
    weak = [name for name in _PASSWORDS if _is_weak(here.environment.get(name))]
    if weak:
        problem = f"{' and '.join(weak)}: a known password, or shorter than {_LEAST_CHARACTERS} characters"
        return Checked(Risk.PASSWORDS, problem, "set one that `openssl rand -hex 24` prints, there and here")
    if here.uri.startswith(SERVERS):
        for login in KNOWN_LOGINS:
            if status_of(here.uri.rstrip("/") + MLFLOW_API, login, proxies=True) == HTTPStatus.OK:
                problem = (
                    f"MLflow at {without_secrets(here.uri)} accepts a well-known password for {login[0]}"
                )
                return Checked(Risk.PASSWORDS, problem, "set another one; MLflow's documentation says where")
    return Checked(Risk.PASSWORDS, "no password is a known one")


def _is_weak(value: str | None) -> bool:
    return bool(value) and (len(value or "") < _LEAST_CHARACTERS or (value or "").lower() in _KNOWN)
