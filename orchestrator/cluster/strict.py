"""Is patient text safe in a cluster? What an overlay will make, and what runs in its namespace now."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from itertools import product

from orchestrator.cluster.api_errors import RefusalError
from orchestrator.cluster.checks import switches
from orchestrator.cluster.checks.pods import NODE_TYPE, Pod, cluster_of, created_pods
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.dashboard import PORT as DASHBOARD
from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping
from orchestrator.cluster.readiness import Patience, Servers, await_servers, is_ready
from orchestrator.cluster.resources import CLAIMS, CONFIG_MAPS, PODS
from orchestrator.contracts.credentials import is_secret
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.contracts.servers import KNOWN_LOGINS, MLFLOW_API, RAY_API, judged, login_headers
from orchestrator.errors import LaunchError

_MLFLOW = "app.kubernetes.io/name=mlflow"  # of k8s/components/mlflow
_HEADS = f"{NODE_TYPE}=head"
_MLFLOW_PORT = 5000
_SECONDS = 15.0
_TELEMETRY = re.compile(r"TELEMETRY|USAGE_STATS|DO_NOT_TRACK")
_UNPINNED = re.compile(r"^[^@]*(/|^)[^:/@]+(:latest)?$")


@dataclass(frozen=True)
class _Seen:
    cluster: Cluster
    documents: Sequence[Document]  # those of the overlay, and the pods and ConfigMaps of the namespace
    pods: Sequence[Pod]
    mlflow: Servers
    heads: Servers
    say: Callable[[str], None]


def check_live(
    cluster: Cluster, overlay: Sequence[Document], say: Callable[[str], None]
) -> Iterator[Checked]:
    """Yield one finding per risk. What may not be looked at is a problem; servers that are not ready are
    waited for, which is said, and then not seen. Raises LaunchError where the API server does not answer."""
    cluster.ask_path("/version")
    try:
        live = [
            Document(f"namespace {cluster.namespace}", {"kind": resource.kind, **body})
            for resource in (PODS, CONFIG_MAPS)
            for body in cluster.every(resource)
        ]
        servers = await_servers(cluster, (_MLFLOW, _HEADS), say)
    except LaunchError as hidden:
        for risk in Risk:
            yield _unseen(risk, hidden)
        return
    documents = [*overlay, *live]
    seen = _Seen(cluster, documents, created_pods(documents), servers[_MLFLOW], servers[_HEADS], say)
    checks: dict[Risk, Callable[[_Seen], Checked]] = {
        Risk.VERSIONS: _versions,
        Risk.STORAGE: _storage,
        Risk.MLFLOW: _mlflow,
        Risk.RAY: _ray,
        Risk.PASSWORDS: _passwords,
        Risk.ROOT: _root,
        Risk.READABLE: _readable,
        Risk.TELEMETRY: _telemetry,
        Risk.SECRETS: _secrets,
    }
    for risk, check in checks.items():
        try:
            yield check(seen)
        except LaunchError as hidden:
            yield _unseen(risk, hidden)


def _unseen(risk: Risk, error: LaunchError) -> Checked:
    problem, _, fix = str(error).partition("\n    -> ")
    return Checked(risk, f"could not be looked at: {problem}", fix or "try again")


def _versions(seen: _Seen) -> Checked:
    images = {str(c.body["image"]) for pod in seen.pods for c in pod.containers if c.body.get("image")}
    loose = sorted(image for image in images if _UNPINNED.match(image))
    if loose:
        problem = f"{', '.join(loose)}: the image is whatever was built last"
        return Checked(Risk.VERSIONS, problem, "name a tag or, better, a digest in the overlay's `images`")
    try:
        ours = version("ray")
    except PackageNotFoundError:
        ours = ""
    clusters = [ray_cluster[0] for ray_cluster in map(cluster_of, seen.documents) if ray_cluster is not None]
    different = sorted({str(c["rayVersion"]) for c in clusters if c.get("rayVersion") not in (None, ours)})
    if different:
        problem = (
            f"rayVersion {', '.join(different)} was never tested with this Frontier, which has Ray {ours}"
        )
        return Checked(Risk.VERSIONS, problem, f"set rayVersion {ours}, and an image with it")
    return Checked(Risk.VERSIONS, f"every image has a tag or a digest, and Ray is {ours}")


def _storage(seen: _Seen) -> Checked:
    volumes = [v for pod in seen.pods for v in _volumes(pod)]
    names = sorted({str(n) for v in volumes if (n := get(v, "persistentVolumeClaim", "claimName"))})
    phases = {name: get(seen.cluster.get(CLAIMS, name), "status", "phase") for name in names}
    wrong = [f"{name} is {phase or 'missing'}" for name, phase in phases.items() if phase in (None, "Lost")]
    if wrong:
        problem = f"claims are not as the overlay says: {', '.join(wrong)}"
        return Checked(Risk.STORAGE, problem, "kubectl apply --server-side -k the overlay")
    return Checked(Risk.STORAGE, "claims are there; the head writes a trial record before a sensitive sweep")


def _mlflow(seen: _Seen) -> Checked:
    checked = Checked(Risk.MLFLOW, "no MLflow runs in the namespace")
    for pod in seen.mlflow.ready:
        checked = _judged(seen, Risk.MLFLOW, f"MLflow in pod {pod}", pod, _MLFLOW_PORT, MLFLOW_API)
        if checked.is_problem or not checked.is_seen:
            return checked
    return _all_seen(checked, seen.mlflow)


def _ray(seen: _Seen) -> Checked:
    clusters = [ray_cluster[0] for ray_cluster in map(cluster_of, seen.documents) if ray_cluster is not None]
    if any(get(cluster, "authOptions", "mode") != "token" for cluster in clusters):
        problem = "a Ray cluster of the overlay asks for no token"
        return Checked(Risk.RAY, problem, "set spec.rayClusterSpec.authOptions.mode: token")
    heads = seen.heads.ready
    for head in heads:
        checked = _judged(seen, Risk.RAY, f"the Ray cluster of pod {head}", head, DASHBOARD, RAY_API)
        if checked.is_problem or not checked.is_seen:
            return checked
    text = f"{len(heads)} running clusters refuse requests without a token" if heads else "none runs now"
    return _all_seen(Checked(Risk.RAY, f"the overlay's Ray cluster asks for a token; {text}"), seen.heads)


def _passwords(seen: _Seen) -> Checked:
    for pod, login in product(seen.mlflow.ready, KNOWN_LOGINS):
        status = _status(seen, pod, _MLFLOW_PORT, MLFLOW_API, login)
        if status is None:
            return _silent(seen, Risk.PASSWORDS, f"MLflow in pod {pod}", pod)
        if status == HTTPStatus.OK:
            problem = f"MLflow in pod {pod} accepts a well-known password for {login[0]}"
            return Checked(
                Risk.PASSWORDS, problem, "set another one; k8s/components/mlflow/make-secrets.sh draws one"
            )
    text = "MLflow accepts no well-known password" if seen.mlflow.ready else "no MLflow runs"
    return _all_seen(Checked(Risk.PASSWORDS, text), seen.mlflow)


def _root(seen: _Seen) -> Checked:
    roles = sorted({pod.role for pod in seen.pods if any(_may_be_root(pod, c.body) for c in pod.containers)})
    if roles:
        problem = f"these pods may run as root: {', '.join(roles)}"
        return Checked(Risk.ROOT, problem, "set runAsNonRoot: true and a runAsUser in their securityContext")
    return Checked(Risk.ROOT, "no pod may run as root")


def _may_be_root(pod: Pod, container: KubeObject) -> bool:
    pod_context, container_context = (
        mapping(pod.spec.get("securityContext")),
        mapping(container.get("securityContext")),
    )
    both = pod_context | container_context
    return both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0


def _readable(seen: _Seen) -> Checked:
    roles = sorted({pod.role for pod in seen.pods if any("hostPath" in v for v in _volumes(pod))})
    if roles:
        problem = f"these pods keep files on their node, for every pod and account there: {', '.join(roles)}"
        return Checked(Risk.READABLE, problem, "use a claim in place of hostPath")
    return Checked(Risk.READABLE, "no pod keeps files on its node")


def _volumes(pod: Pod) -> list[KubeObject]:
    return items(pod.spec.get("volumes"))


def _telemetry(seen: _Seen) -> Checked:
    wrong = [
        c for c in switches.check(seen.documents, seen.pods) if _TELEMETRY.search(f"{c.key} {c.problem}")
    ]
    if wrong:
        return Checked(Risk.TELEMETRY, f"{wrong[0].where}: {wrong[0].key}: {wrong[0].problem}", wrong[0].fix)
    return Checked(Risk.TELEMETRY, "nothing turns telemetry on; images and commands turn it off")


def _secrets(seen: _Seen) -> Checked:
    """Name places, never values."""
    exposed = [
        f"{pod.role}: {env['name']}"
        for pod in seen.pods
        for container in pod.containers
        for env in items(container.body.get("env"))
        if env.get("value") and is_secret(str(env.get("name")), str(env["value"]))
    ]
    exposed += [
        f"ConfigMap {document.name}: {name}"
        for document in seen.documents
        if document.kind == "ConfigMap"
        for name, value in mapping(document.body.get("data")).items()
        if is_secret(str(name), str(value))
    ]
    if exposed:
        problem = f"secrets that every account that lists pods can read: {', '.join(sorted(set(exposed)))}"
        return Checked(Risk.SECRETS, problem, "put them into a Secret, and name it by secretKeyRef")
    return Checked(Risk.SECRETS, "no pod and no ConfigMap has a secret in clear")


def _all_seen(checked: Checked, servers: Servers) -> Checked:
    """Return what was found of the ready pods, unless some are not ready."""
    if not servers.starting:
        return checked
    several = "are" if len(servers.starting) > 1 else "is"
    text = f"pod {', '.join(servers.starting)} {several} not ready, so it was not checked"
    return Checked(checked.risk, f"{checked.words}; {text}" if servers.ready else text, is_seen=False)


def _judged(seen: _Seen, risk: Risk, server: str, pod: str, port: int, path: str) -> Checked:
    status = _status(seen, pod, port, path)
    return _silent(seen, risk, server, pod) if status is None else judged(risk, server, status)


def _silent(seen: _Seen, risk: Risk, server: str, pod: str) -> Checked:
    """A pod that has just ended or starts again has no fault; one that is ready and mute may hide it."""
    if is_ready(seen.cluster.get(PODS, pod)):
        return judged(risk, server, None)
    return Checked(risk, f"pod {pod} has stopped being ready, so it was not checked", is_seen=False)


def _status(seen: _Seen, pod: str, port: int, path: str, login: tuple[str, str] | None = None) -> int | None:
    """Return the HTTP status that a pod answers with, through the API server; None: nothing answers, for as
    long as the pod is ready and the patience lasts. Raises RefusalError if we may not ask it."""
    patience = Patience(seen.say)
    while (status := _status_now(seen.cluster, pod, port, path, login)) is None:
        ready = is_ready(seen.cluster.get(PODS, pod))
        if not ready or not patience.goes_on(f"pod {pod} to answer"):
            break
    return status


def _status_now(
    cluster: Cluster, pod: str, port: int, path: str, login: tuple[str, str] | None
) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.sock = cluster.connect_to(pod, port)
        connection.request("GET", path, headers=login_headers(login))
        return connection.getresponse().status
    except RefusalError:
        raise
    except (OSError, http.client.HTTPException, LaunchError):
        return None
    finally:
        connection.close()
