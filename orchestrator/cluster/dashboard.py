"""The head's dashboard from outside the cluster: its token, and what the driver last said."""

from __future__ import annotations

import base64
import http.client
import json
from http import HTTPStatus

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import get
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.resources import SECRETS
from orchestrator.contracts.driver_lines import last_progress
from orchestrator.errors import LaunchError

PORT = 8265
_TOKEN_KEY = "auth_token"  # as KubeRay calls it, in a Secret named after the cluster
_TIMEOUT_SECONDS = 15.0


def token(cluster: Cluster, job: RayJob) -> str | None:
    """Return the cluster's token, or None if it has none. Raises LaunchError where it may not be read."""
    secret = cluster.get(SECRETS, job.cluster_name) if job.cluster_name else None
    encoded = get(secret, "data", _TOKEN_KEY)
    return None if encoded is None else base64.b64decode(encoded).decode()


def progress(cluster: Cluster, job: RayJob, pod: str) -> str | None:
    """The driver's newest word on how far it is, from its log; None where there is none yet, as a head that
    has just come in the place of another knows no job. Raises LaunchError where it cannot be had."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=_TIMEOUT_SECONDS)
    connection.sock = cluster.connect_to(pod, PORT)
    secret = token(cluster, job)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    try:
        connection.request("GET", f"/api/jobs/{job.submission_id}/logs", headers=headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise LaunchError(f"the dashboard in pod {pod} does not answer ({type(error).__name__})") from None
    finally:
        connection.close()
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise LaunchError(f"the dashboard in pod {pod} refuses the driver's log (HTTP {answer.status})")
    return last_progress(str(get(json.loads(content), "logs") or ""))
