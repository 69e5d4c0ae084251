"""What a strict check asks a server, and what the answer says."""

from __future__ import annotations

import base64
from http import HTTPStatus

from orchestrator.contracts.risks import Checked, Risk

MLFLOW_API = "/api/2.0/mlflow/experiments/search?max_results=1"
RAY_API = "/api/version"
# Of MLflow's basic_auth.ini, of its earlier versions, and of guides.
KNOWN_LOGINS = (("admin", "password1234"), ("admin", "password"), ("admin", "admin"))
_FIX = {
    Risk.MLFLOW: "start it with a login, as k8s/components/mlflow does",
    Risk.RAY: "start it with RAY_AUTH_MODE=token, and set RAY_AUTH_TOKEN",
}


def login_headers(login: tuple[str, str] | None) -> dict[str, str]:
    """Return the headers of HTTP that show a name and a password (RFC 7617); none without."""
    if login is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"}


def judged(risk: Risk, server: str, status: int | None) -> Checked:
    """`status`: of an answer to somebody without a login; None: there was none."""
    if status == HTTPStatus.UNAUTHORIZED:  # 403 is said to names that a server does not go by, too
        return Checked(risk, f"{server} refuses requests without a login")
    if status is None or status >= HTTPStatus.BAD_REQUEST:
        answer = "does not answer" if status is None else f"answers HTTP {status}"
        problem = f"{server} {answer}: whether it asks for a login is unknown"
        return Checked(risk, problem, "start it, or correct its address; then check again")
    return Checked(risk, f"{server} answers without a login", _FIX[risk])
