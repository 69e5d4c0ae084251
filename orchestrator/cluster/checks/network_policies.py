"""NetworkPolicies as a graph: who can reach whom.

A connection is possible when the policies that select its source let it out and those that select its target
let it in; a pod that no policy selects for a direction is open in that direction. Addresses (`ipBlock`) are
for what is no pod: the API server, object stores, the metadata server of a cloud.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.cluster.documents import Document, KubeObject, items, mapping, of_kind


@dataclass(frozen=True)
class Place:
    """One end of a connection: a pod, or an address outside."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = ""
    address: str = ""
    ports: dict[str, int] = field(default_factory=dict)  # named ones
    stranger: bool = False  # its own policies are not ours to rely on

    @property
    def role(self) -> str:
        """`worker` of all worker groups; otherwise its name."""
        return self.name.split()[0]


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
        self.policies = of_kind(documents, "NetworkPolicy")
        self._namespaces = {
            n.name: mapping(n.metadata.get("labels")) for n in of_kind(documents, "Namespace")
        }

    def open(self, edge: Edge) -> bool:
        free = bool(edge.source.address) or edge.source.stranger
        leaves = free or self._passes(edge, edge.source, edge.target, "Egress")
        enters = bool(edge.target.address) or self._passes(edge, edge.target, edge.source, "Ingress")
        return leaves and enters

    def _passes(self, edge: Edge, pod: Place, peer: Place, direction: str) -> bool:
        selecting = [p for p in self.policies if self.selects(p, pod, direction)]
        rules, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        return not selecting or any(
            self._lets(rule, peers, edge, peer, policy)
            for policy in selecting
            for rule in items(policy.spec.get(rules))
        )

    def selects(self, policy: Document, pod: Place, direction: str) -> bool:
        types = policy.spec.get("policyTypes") or [
            "Ingress",
            *(["Egress"] if "egress" in policy.spec else []),
        ]
        same = policy.namespace == pod.namespace
        return direction in types and same and matches(policy.spec.get("podSelector"), pod.labels)

    def _lets(self, rule: KubeObject, peers: str, edge: Edge, peer: Place, policy: Document) -> bool:
        ports, ends = items(rule.get("ports")), items(rule.get(peers))
        through = not ports or any(_port(port, edge) for port in ports)
        return through and (not ends or any(self._is(end, peer, policy) for end in ends))

    def _is(self, end: KubeObject, peer: Place, policy: Document) -> bool:
        if "ipBlock" in end:
            return bool(peer.address) and _in_block(mapping(end["ipBlock"]), peer.address)
        if peer.address:
            return False
        if "namespaceSelector" in end:
            labels = {"kubernetes.io/metadata.name": peer.namespace} | self._namespaces.get(
                peer.namespace, {}
            )
            if not matches(end["namespaceSelector"], labels):
                return False
        elif peer.namespace != policy.namespace:
            return False
        return matches(end.get("podSelector"), peer.labels)


def matches(selector: object, labels: dict[str, str]) -> bool:
    selector = mapping(selector)
    if not mapping(selector.get("matchLabels")).items() <= labels.items():
        return False
    return all(_expression(expression, labels) for expression in items(selector.get("matchExpressions")))


def _expression(expression: KubeObject, labels: dict[str, str]) -> bool:
    value, values = labels.get(str(expression.get("key"))), expression.get("values") or []
    operator = expression.get("operator")
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    return (value in values) if operator == "In" else value not in values


def _port(port: KubeObject, edge: Edge) -> bool:
    if port.get("protocol", "TCP") != edge.protocol:
        return False
    number: int | str | None = port.get("port")
    if number is None:
        return True
    if isinstance(number, str):
        return edge.target.ports.get(number) == edge.port
    return bool(number <= edge.port <= port.get("endPort", number))


def _in_block(block: KubeObject, address: str) -> bool:
    try:
        where = ipaddress.ip_address(address)
        inside = where in ipaddress.ip_network(block.get("cidr", ""), strict=False)
        return inside and not any(where in ipaddress.ip_network(out) for out in block.get("except") or [])
    except ValueError:
        return False  # the schema cannot tell; nothing is reached through it
