"""NetworkPolicies as a graph: who can reach whom, compared with who must and who must not.

A connection is possible when the policies that select its source let it out and those that select its target
let it in; a pod that no policy selects for a direction is open in that direction. Addresses (`ipBlock`) stand
for what is no pod: the API server, object stores, the metadata server of a cloud.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.documents import Document, get, items, mapping, of_kind
from orchestrator.errors import Complaint

ALLOWS = "frontier/allows"  # annotation of a policy: "metadata-server"
_INTERNET, _METADATA = "203.0.113.10", "169.254.169.254"
_GCS, _DASHBOARD, _METRICS, _RAY_WORKER = 6379, 8265, 8080, 10002


@dataclass(frozen=True)
class Place:
    """One end of a connection: a pod, or an address outside."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = ""
    address: str = ""
    ports: dict[str, int] = field(default_factory=dict)  # named ones
    stranger: bool = False  # its own policies are not ours to rely on


@dataclass(frozen=True)
class Edge:
    source: Place
    target: Place
    port: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.source.name} -> {self.target.name}:{self.port}"


class Network:
    def __init__(self, documents: Sequence[Document]) -> None:
        self._policies = of_kind(documents, "NetworkPolicy")
        self._namespaces = {
            n.name: mapping(n.metadata.get("labels")) for n in of_kind(documents, "Namespace")
        }

    def open(self, edge: Edge) -> bool:
        free = bool(edge.source.address) or edge.source.stranger
        leaves = free or self._passes(edge, edge.source, edge.target, "Egress")
        enters = bool(edge.target.address) or self._passes(edge, edge.target, edge.source, "Ingress")
        return leaves and enters

    def _passes(self, edge: Edge, pod: Place, peer: Place, direction: str) -> bool:
        selecting = [p for p in self._policies if self._selects(p, pod, direction)]
        rules, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        return not selecting or any(
            self._lets(rule, peers, edge, peer, policy)
            for policy in selecting
            for rule in items(policy.spec.get(rules))
        )

    def _selects(self, policy: Document, pod: Place, direction: str) -> bool:
        types = policy.spec.get("policyTypes") or [
            "Ingress",
            *(["Egress"] if "egress" in policy.spec else []),
        ]
        same = policy.namespace == pod.namespace
        return direction in types and same and _matches(policy.spec.get("podSelector"), pod.labels)

    def _lets(self, rule: dict[str, Any], peers: str, edge: Edge, peer: Place, policy: Document) -> bool:
        ports, ends = items(rule.get("ports")), items(rule.get(peers))
        through = not ports or any(_port(port, edge) for port in ports)
        return through and (not ends or any(self._is(end, peer, policy) for end in ends))

    def _is(self, end: dict[str, Any], peer: Place, policy: Document) -> bool:
        if "ipBlock" in end:
            return bool(peer.address) and _in_block(mapping(end["ipBlock"]), peer.address)
        if peer.address:
            return False
        if "namespaceSelector" in end:
            labels = {"kubernetes.io/metadata.name": peer.namespace} | self._namespaces.get(
                peer.namespace, {}
            )
            if not _matches(end["namespaceSelector"], labels):
                return False
        elif peer.namespace != policy.namespace:
            return False
        return _matches(end.get("podSelector"), peer.labels)


def _matches(selector: Any, labels: dict[str, str]) -> bool:
    selector = mapping(selector)
    if not mapping(selector.get("matchLabels")).items() <= labels.items():
        return False
    return all(_expression(expression, labels) for expression in items(selector.get("matchExpressions")))


def _expression(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    value, values = labels.get(str(expression.get("key"))), expression.get("values") or []
    operator = expression.get("operator")
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    return (value in values) if operator == "In" else value not in values


def _port(port: dict[str, Any], edge: Edge) -> bool:
    if port.get("protocol", "TCP") != edge.protocol:
        return False
    number = port.get("port")
    if number is None:
        return True
    if isinstance(number, str):
        return edge.target.ports.get(number) == edge.port
    return bool(number <= edge.port <= port.get("endPort", number))


def _in_block(block: dict[str, Any], address: str) -> bool:
    try:
        where = ipaddress.ip_address(address)
        inside = where in ipaddress.ip_network(block.get("cidr", ""), strict=False)
        return inside and not any(where in ipaddress.ip_network(out) for out in block.get("except") or [])
    except ValueError:
        return False  # the schema cannot tell; nothing is reached through it


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
        if "://" in str(job.annotations.get("frontier/storage", "")):
            yield Edge(place, _OUTSIDE, 443), "the records are in an object store"
    yield from _mlflow_needs(pods, heads)


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
    allowed = [str(p.annotations.get(ALLOWS)) for p in of_kind(documents, "NetworkPolicy")]
    if "metadata-server" not in allowed:
        for place in [*heads, *workers, *submitters]:
            yield Edge(place, _CLOUD_METADATA, 80), f"it hands out the node's role ({ALLOWS} permits it)"
