"""Which connections a sweep needs, and which must not be possible."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.network import Edge, Network, Place
from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.documents import Document, get, items, of_kind
from orchestrator.errors import Complaint

# Annotation of a policy: "metadata-server", or "object-store" for one at an address of its own.
ALLOWS = "frontier/allows"
STORAGE = "frontier/storage"  # annotation of a job: where its records go
_INTERNET, _METADATA = "203.0.113.10", "169.254.169.254"
_GCS, _DASHBOARD, _METRICS, _RAY_WORKER = 6379, 8265, 8080, 10002


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Complaint]:
    jobs = [d for d in documents if cluster_of(d) is not None]
    if not jobs or not of_kind(documents, "Namespace"):
        return  # a sweep alone: the policies are the overlay's
    yield from _addresses(documents)
    network, job = Network(documents), jobs[0]
    for edge, why in _needed(documents, pods, job):
        if not _reached(network, edge, documents):
            remedy = "allow it in a NetworkPolicy, on both sides"
            yield job.complaint("NetworkPolicy", f"{edge} is shut: {why}", remedy)
    for edge, why in _forbidden(documents, pods, job):
        if network.open(edge):
            remedy = "narrow the policies; base/networkpolicy-default-deny.yaml shuts all"
            yield job.complaint("NetworkPolicy", f"{edge} is open: {why}", remedy)


def _addresses(documents: Sequence[Document]) -> Iterator[Complaint]:
    for policy in of_kind(documents, "NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for number, rule in enumerate(items(policy.spec.get(direction))):
                for end in items(rule.get(peers)):
                    cidr = get(end, "ipBlock", "cidr")
                    try:
                        ipaddress.ip_network(cidr or "0.0.0.0/0")
                    except ValueError:
                        key = f"spec.{direction}.{number}.{peers}.ipBlock.cidr"
                        yield policy.complaint(key, f"{cidr!r} is no network", "write 10.0.0.0/8, say")


def _place(pod: Pod) -> Place:
    named = {
        port["name"]: int(port.get("containerPort", 0))
        for container in pod.containers
        for port in items(container.body.get("ports"))
        if "name" in port
    }
    return Place(pod.role, pod.labels, pod.namespace, ports=named)


_DNS = Place("DNS", {"k8s-app": "kube-dns"}, "kube-system")
_OPERATOR = Place(
    "KubeRay operator", {"app.kubernetes.io/name": "kuberay-operator"}, "kuberay-operator", stranger=True
)
_PROMETHEUS = Place("Prometheus", {"app.kubernetes.io/name": "prometheus"}, "monitoring")
_OUTSIDE = Place("the internet", address=_INTERNET)
_CLOUD_METADATA = Place("the metadata server", address=_METADATA)


def _ray(pods: Sequence[Pod]) -> tuple[list[Place], list[Place], list[Place]]:
    """Heads, workers, submitters."""
    heads = [_place(pod) for pod in pods if pod.role == "head"]
    workers = [_place(pod) for pod in pods if pod.is_worker]
    return heads, workers, [_place(pod) for pod in pods if pod.role == "submitter"]


def _needed(documents: Sequence[Document], pods: Sequence[Pod], job: Document) -> Iterator[tuple[Edge, str]]:
    heads, workers, submitters = _ray(pods)
    for pod in pods:
        yield Edge(_place(pod), _DNS, 53, "UDP"), "no name is found without it"
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
    for place in [*heads, *workers]:
        yield Edge(_PROMETHEUS, place, _METRICS), "its metrics are not read"
        stored = str(job.annotations.get(STORAGE, ""))
        if "://" in stored and not _announced(documents, "object-store"):
            yield Edge(place, _OUTSIDE, 443), f"the records go to {stored} ({ALLOWS} names a policy for it)"
    yield from _mlflow_needs(pods, heads)


def _announced(documents: Sequence[Document], what: str) -> bool:
    return any(policy.annotations.get(ALLOWS) == what for policy in of_kind(documents, "NetworkPolicy"))


def _mlflow_needs(pods: Sequence[Pod], heads: list[Place]) -> Iterator[tuple[Edge, str]]:
    servers = [_place(pod) for pod in pods if pod.role == "mlflow"]
    databases = [_place(pod) for pod in pods if pod.role == "mlflow-postgres"]
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
    places = [Place("the API server", address=address) for address in _api_addresses(documents)]
    return any(network.open(Edge(edge.source, place, port)) for place in places for port in (443, 6443))


def _api_addresses(documents: Sequence[Document]) -> Iterator[str]:
    """The first address of each private block that some policy opens."""
    for policy in of_kind(documents, "NetworkPolicy"):
        for rule in items(policy.spec.get("egress")):
            for end in items(rule.get("to")):
                try:
                    block = ipaddress.ip_network(str(get(end, "ipBlock", "cidr")), strict=False)
                except ValueError:
                    continue
                if block.is_private and block.prefixlen:
                    yield str(next(iter(block.hosts()), block.network_address))


def _forbidden(
    documents: Sequence[Document], pods: Sequence[Pod], job: Document
) -> Iterator[tuple[Edge, str]]:
    heads, workers, submitters = _ray(pods)
    namespace = job.namespace
    strangers = [
        Place("a stranger in the namespace", {"app": "stranger"}, namespace, stranger=True),
        Place("a pod of another namespace", {"app": "stranger"}, "default", stranger=True),
        _OUTSIDE,
    ]
    private = [pod for pod in pods if pod.role in ("mlflow", "mlflow-postgres")]
    for stranger in strangers:
        for place in [*heads, *workers]:
            yield Edge(stranger, place, _DASHBOARD), "whoever reaches it may try tokens"
            yield Edge(stranger, place, _GCS), "whoever reaches it may try tokens"
        for pod in private:
            port = 5000 if pod.role == "mlflow" else 5432
            yield Edge(stranger, _place(pod), port), "only the driver has business there"
    addresses = [Place("the API server", address=a) for a in dict.fromkeys(_api_addresses(documents))]
    for place in [*workers, *submitters]:
        for address in addresses:
            yield Edge(place, address, 443), "only the head's autoscaler has business there"
        for pod in private:
            if pod.role == "mlflow-postgres":
                yield Edge(place, _place(pod), 5432), "only MLflow has business there"
    for place in submitters:
        yield Edge(place, _OUTSIDE, 443), "a submitter talks to its head alone"
        for worker in workers:
            yield Edge(place, worker, _RAY_WORKER), "a submitter talks to its head alone"
    for place in [*heads, *workers]:
        yield Edge(place, _OUTSIDE, 80), "nothing leaves in the clear"
    if not _announced(documents, "metadata-server"):
        for place in [*heads, *workers, *submitters]:
            yield Edge(place, _CLOUD_METADATA, 80), f"it hands out the node's role ({ALLOWS} permits it)"
