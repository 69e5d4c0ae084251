"""Which connections a sweep needs; `network_openings` reports those that must not be possible."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks import network_openings
from orchestrator.cluster.checks.network_policies import Edge, Network, Place
from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.checks.traffic import ALLOWS, OBJECT_STORE
from orchestrator.cluster.documents import Document, get, items, of_kind
from orchestrator.cluster.naming import STORAGE
from orchestrator.errors import Problem

_INTERNET = "203.0.113.10"
_GCS, _DASHBOARD, _METRICS, _RAY_WORKER = 6379, 8265, 8080, 10002


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    jobs = [d for d in documents if cluster_of(d) is not None]
    if not jobs or not of_kind(documents, "Namespace"):
        return  # a sweep alone: the policies are the overlay's
    yield from _addresses(documents)
    network, job = Network(documents), jobs[0]
    for edge, why in _needed(documents, pods, job):
        if not _reached(network, edge, documents):
            fix = "allow it in a NetworkPolicy, on both sides"
            yield job.problem_at("NetworkPolicy", f"traffic {edge} is blocked: {why}", fix)
    yield from network_openings.check(network, [_endpoint(pod) for pod in pods], job)


def _addresses(documents: Sequence[Document]) -> Iterator[Problem]:
    for policy in of_kind(documents, "NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for number, rule in enumerate(items(policy.spec.get(direction))):
                for end in items(rule.get(peers)):
                    cidr = get(end, "ipBlock", "cidr")
                    try:
                        ipaddress.ip_network(cidr or "0.0.0.0/0")
                    except ValueError:
                        key = f"spec.{direction}.{number}.{peers}.ipBlock.cidr"
                        yield policy.problem_at(key, f"{cidr!r} is no network", "write 10.0.0.0/8, say")


def _endpoint(pod: Pod) -> Place:
    ports = {
        port["name"]: int(port.get("containerPort", 0))
        for container in pod.containers
        for port in items(container.body.get("ports"))
        if "name" in port
    }
    return Place(pod.role, pod.labels, pod.namespace, ports=ports)


_DNS = Place("DNS", {"k8s-app": "kube-dns"}, "kube-system")
_OPERATOR = Place(
    "KubeRay operator", {"app.kubernetes.io/name": "kuberay-operator"}, "kuberay-operator", stranger=True
)
_PROMETHEUS = Place("Prometheus", {"app.kubernetes.io/name": "prometheus"}, "monitoring")
_OUTSIDE = Place("the internet", address=_INTERNET)


def _ray(pods: Sequence[Pod]) -> tuple[list[Place], list[Place], list[Place]]:
    """Heads, workers, submitters."""
    heads = [_endpoint(pod) for pod in pods if pod.role == "head"]
    workers = [_endpoint(pod) for pod in pods if pod.is_worker]
    return heads, workers, [_endpoint(pod) for pod in pods if pod.role == "submitter"]


def _needed(documents: Sequence[Document], pods: Sequence[Pod], job: Document) -> Iterator[tuple[Edge, str]]:
    heads, workers, submitters = _ray(pods)
    for pod in pods:
        yield Edge(_endpoint(pod), _DNS, 53, "UDP"), "no name is found without it"
    for head in heads:
        for worker in workers:
            yield Edge(worker, head, _GCS), "the worker cannot join"
            yield Edge(head, worker, _RAY_WORKER), "the driver cannot start trials"
            yield Edge(worker, worker, _RAY_WORKER), "trials over several pods cannot talk"
        for submitter in submitters:
            yield Edge(submitter, head, _DASHBOARD), "the sweep is never submitted"
        yield Edge(_OPERATOR, head, _DASHBOARD), "KubeRay fails a job whose state it cannot read"
        if get(job.spec, "rayClusterSpec", "enableInTreeAutoscaling"):
            yield Edge(head, _API_SERVER, 443), "the autoscaler cannot ask for pods"
    for endpoint in [*heads, *workers]:
        yield Edge(_PROMETHEUS, endpoint, _METRICS), "its metrics are not read"
        stored = str(job.annotations.get(STORAGE, ""))
        if "://" in stored and not _announced(documents):
            yield (
                Edge(endpoint, _OUTSIDE, 443),
                f"the records go to {stored} ({ALLOWS} names a policy for it)",
            )
    yield from _mlflow_needs(pods, heads)


def _announced(documents: Sequence[Document]) -> bool:
    return any(
        policy.annotations.get(ALLOWS) == OBJECT_STORE for policy in of_kind(documents, "NetworkPolicy")
    )


def _mlflow_needs(pods: Sequence[Pod], heads: list[Place]) -> Iterator[tuple[Edge, str]]:
    servers = [_endpoint(pod) for pod in pods if pod.role == "mlflow"]
    databases = [_endpoint(pod) for pod in pods if pod.role == "mlflow-postgres"]
    for server in servers:
        for head in heads:
            yield Edge(head, server, 5000), "the driver cannot write to MLflow"
        for database in databases:
            yield Edge(server, database, 5432), "MLflow cannot reach its database"


# Where an overlay's policy may place it; which address a policy sees depends on the network plugin.
_API_SERVER = Place("the API server", address="one of the policy's own addresses")


def _reached(network: Network, edge: Edge, documents: Sequence[Document]) -> bool:
    if edge.target is not _API_SERVER:
        return network.open(edge)
    endpoints = [Place("the API server", address=address) for address in _api_addresses(documents)]
    return any(
        network.open(Edge(edge.source, endpoint, port)) for endpoint in endpoints for port in (443, 6443)
    )


def _api_addresses(documents: Sequence[Document]) -> Iterator[str]:
    """Yield the first address of each private block that some policy opens."""
    for policy in of_kind(documents, "NetworkPolicy"):
        for rule in items(policy.spec.get("egress")):
            for end in items(rule.get("to")):
                try:
                    block = ipaddress.ip_network(str(get(end, "ipBlock", "cidr")), strict=False)
                except ValueError:
                    continue
                if block.is_private and block.prefixlen:
                    yield str(next(iter(block.hosts()), block.network_address))
