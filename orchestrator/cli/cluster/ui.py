"""`frontier ui ray|mlflow`: pages of the cluster on this machine."""

from __future__ import annotations

import base64
import threading
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console

from orchestrator.cli.cluster.lookup import InClusterError
from orchestrator.cli.cluster.submit import open_sweeps
from orchestrator.cli.cluster_options import NO_OPTIONS, ClusterOptions
from orchestrator.cli.paths import ledger_of
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.dashboard import PORT, token
from orchestrator.cluster.documents import KubeObject, get, items, mapping
from orchestrator.cluster.kubeconfig import known_context
from orchestrator.cluster.naming import SWEEP_LABEL
from orchestrator.cluster.port_forward import Connect, forwarded
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.resources import PODS, RAY_JOBS, SECRETS, SERVICES
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.cluster.watch import head_pod
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.errors import LaunchError

_MLFLOW, _LOGIN = "mlflow", "frontier-mlflow"  # service and secret, of k8s/components/mlflow
_USER, _PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
_SHOWN = 4  # characters of a token


def open_ray(
    sweep: str | None,
    namespace: str | None,
    context: str | None,
    port: int,
    show_token: bool,
    console: Console,
) -> None:
    """The dashboard of a running sweep, until Ctrl-C."""
    sweeps = open_sweeps(namespace, context, console)
    name = sweeps.named(sweep) if sweep else _only_one(sweeps)

    def head() -> tuple[RayJob, str]:
        job = sweeps.job(name)
        pod = head_pod(sweeps.cluster, job) if job is not None else None
        if job is None or pod is None:
            raise LaunchError(
                f"{name} has no running head\n"
                f"    -> {sweeps.cluster.command('follow', name)} says what it waits for"
            )
        return job, pod

    job, _ = head()
    secret = token(sweeps.cluster, job)
    if secret is not None:
        shown = secret if show_token else f"{secret[:_SHOWN]}… (--show-token prints it)"
        sweeps.say(f"the page asks for a token: {shown}")
    _serve("Ray dashboard", lambda: sweeps.cluster.connect_to(head()[1], PORT), port, "/#/cluster", sweeps)


@dataclass(frozen=True)
class SweepLocation:
    """Where a sweep is."""

    host: str  # of the API server
    namespace: str
    sweep: str  # its id
    context: str | None  # that it was reached by

    def refuse_other(self, host: str) -> None:
        """Raise LaunchError where the kubeconfig names another cluster."""
        if host != self.host:
            raise LaunchError(
                f"{self.sweep} is in the cluster {self.host}, and the kubeconfig names {host}\n"
                "    -> choose that cluster's context with --context"
            )


def sweep_location(sweep: str, storage: str, where: ClusterOptions = NO_OPTIONS) -> SweepLocation | None:
    """Return the cluster that the sweep is in, or that its records here are a copy of; None for this machine.
    Raises ConfigError if no sweep of that name exists."""
    try:
        copy = copy_in(ledger_of(sweep, storage, where).directory)
    except InClusterError as there:
        cluster = there.sweeps.cluster
        return SweepLocation(cluster.host, cluster.namespace, there.name, where.context)
    if copy is None:
        return None
    return SweepLocation(copy.host, copy.namespace, copy.sweep, where.context or known_context(copy.context))


def open_mlflow(
    namespace: str | None,
    context: str | None,
    port: int,
    show_token: bool,
    console: Console,
    there: SweepLocation | None = None,
) -> None:
    """The tracking server of the cluster, until Ctrl-C. `there`: the cluster that it must be."""
    sweeps = open_sweeps(namespace, context, console)
    cluster = sweeps.cluster
    if there is not None:
        there.refuse_other(cluster.host)
    inside = _behind(cluster, _MLFLOW)[1]
    login = cluster.get(SECRETS, _LOGIN)
    if login is not None:
        user, password = (_plain(login, key) for key in (_USER, _PASSWORD))
        shown = password if show_token else "--show-token prints it"
        sweeps.say(f"the page asks for a name and a password: {user}, {shown}")
    _serve("MLflow UI", lambda: cluster.connect_to(_behind(cluster, _MLFLOW)[0], inside), port, "/", sweeps)


def _serve(title: str, connect: Connect, port: int, page: str, sweeps: Sweeps) -> None:
    with suppress(KeyboardInterrupt), forwarded(connect, port, sweeps.say) as here:
        sweeps.say(f"{title}: http://127.0.0.1:{here}{page}  (Ctrl-C ends it)")
        threading.Event().wait()


def _only_one(sweeps: Sweeps) -> str:
    bodies = sweeps.cluster.every(RAY_JOBS, labels=SWEEP_LABEL)
    running = [job.name for job in map(RayJob, bodies) if not job.ended and not job.going]
    if len(running) == 1:
        return running[0]
    where = f"namespace {sweeps.cluster.namespace}"
    if not running:
        raise LaunchError(f"no sweep runs in {where}\n    -> submit one, or give --namespace")
    raise LaunchError(f"{len(running)} sweeps run in {where}\n    -> name one: {', '.join(sorted(running))}")


def _behind(cluster: Cluster, service: str) -> tuple[str, int]:
    """A running pod behind a service, and the port that it listens on."""
    body = cluster.get(SERVICES, service)
    if body is None:
        raise LaunchError(
            f"namespace {cluster.namespace} has no service {service}\n"
            "    -> add components/mlflow to the overlay; `frontier ui` shows the MLflow of this machine"
        )
    selector = ",".join(f"{key}={value}" for key, value in mapping(get(body, "spec", "selector")).items())
    pods = [p for p in cluster.every(PODS, labels=selector) if get(p, "status", "phase") == "Running"]
    if not pods:
        raise LaunchError(
            f"no pod of {service} runs\n    -> kubectl -n {cluster.namespace} describe pod -l {selector}"
        )
    ports = items(get(body, "spec", "ports"))
    target = ports[0].get("targetPort", ports[0].get("port")) if ports else None
    return str(get(pods[0], "metadata", "name")), _port(pods[0], target)


def _port(pod: KubeObject, target: object) -> int:
    """A service may name the port instead of numbering it."""
    named = {
        port.get("name"): port.get("containerPort")
        for container in items(get(pod, "spec", "containers"))
        for port in items(container.get("ports"))
    }
    return int(str(named.get(target) or target))


def _plain(secret: KubeObject, key: str) -> str:
    return base64.b64decode(str(get(secret, "data", key) or "")).decode()
