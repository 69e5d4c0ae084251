"""Who is meant by an end of a NetworkPolicy's rule, and which ports: as sets that can be compared."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.cluster.documents import KubeObject, items, mapping

Net = ipaddress.IPv4Network | ipaddress.IPv6Network
LAST_PORT = 65535
METADATA = ipaddress.ip_network("169.254.169.254/32")
_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Selected:
    """Pods, by the labels that they must have. `namespace` None: of any."""

    namespace: str | None
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(f"{key}={value}" for key, value in self.labels)
        pods = f"pods with {shown}" if shown else "every pod"
        return f"{pods} of {f'namespace {self.namespace}' if self.namespace else 'any namespace'}"


@dataclass(frozen=True)
class Block:
    """Addresses: those of `net` less those of `but`."""

    net: Net
    but: tuple[Net, ...] = ()

    def __str__(self) -> str:
        if self == EVERYBODY:
            return "everybody"
        return str(self.net) + (f" without {', '.join(map(str, self.but))}" if self.but else "")

    def touches(self, other: Net) -> bool:
        if not _overlap(self.net, other):
            return False
        both = max(self.net, other, key=lambda net: net.prefixlen)
        return not any(is_within(both, out) for out in self.but)


Peer = Selected | Block
EVERYBODY = Block(ipaddress.ip_network("0.0.0.0/0"))


@dataclass(frozen=True)
class Ports:
    protocol: str | None  # None: any
    first: int
    last: int

    def __str__(self) -> str:
        if self.first == 1 and self.last == LAST_PORT:
            return "at any port"
        span = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"at {span}" + ("" if self.protocol == "TCP" else f"/{self.protocol}")

    def within(self, other: Ports) -> bool:
        same = other.protocol in (None, self.protocol)
        return same and other.first <= self.first and self.last <= other.last


ALL_PORTS = Ports(None, 1, LAST_PORT)


def is_within(inner: Net, outer: Net) -> bool:
    return _overlap(inner, outer) and outer.prefixlen <= inner.prefixlen


def _overlap(one: Net, other: Net) -> bool:
    return one.version == other.version and one.overlaps(other)


def peers_of(rule: KubeObject, field: str, namespace: str) -> list[Peer]:
    """Return the peers in `field` ("to" or "from"); none means all."""
    ends = items(rule.get(field))
    return [peer for end in ends for peer in _peers(end, namespace)] if ends else [EVERYBODY]


def _peers(end: KubeObject, namespace: str) -> Iterator[Peer]:
    if "ipBlock" in end:
        block = mapping(end["ipBlock"])
        cidrs = [str(block.get("cidr")), *map(str, block.get("except") or ())]
        try:
            net, *but = (ipaddress.ip_network(cidr, strict=False) for cidr in cidrs)
        except ValueError:
            return  # is no network, which is reported elsewhere
        yield Block(net, tuple(but))
        return
    namespaces: list[str | None] = [namespace]
    if "namespaceSelector" in end:
        namespaces = [labels.get(_NAMESPACE) for labels in _demanded(end["namespaceSelector"])]
    for where, labels in itertools.product(namespaces, _demanded(end.get("podSelector"))):
        yield Selected(where, tuple(sorted(labels.items())))


def _demanded(selector: object) -> list[dict[str, str]]:
    """The labels that what it selects must have, an alternative each. Other demands only narrow it."""
    selector = mapping(selector)
    alternatives = [dict(mapping(selector.get("matchLabels")))]
    for expression in items(selector.get("matchExpressions")):
        if expression.get("operator") == "In":
            key, values = str(expression.get("key")), expression.get("values") or []
            alternatives = [labels | {key: str(v)} for labels in alternatives for v in values]
    return alternatives


def ports_of(rule: KubeObject, named: Mapping[str, int] | None) -> list[Ports]:
    """`named`: the ports of the pod that is reached; None where that pod is not known, and a name may mean
    any."""
    listed = items(rule.get("ports"))
    return [ports for port in listed for ports in _ports(port, named)] if listed else [ALL_PORTS]


def _ports(port: KubeObject, named: Mapping[str, int] | None) -> Iterator[Ports]:
    number, protocol = port.get("port"), str(port.get("protocol", "TCP"))
    if isinstance(number, int):
        yield Ports(protocol, number, int(port.get("endPort", number)))
    elif number is None or named is None:
        yield Ports(protocol, 1, LAST_PORT)
    elif number in named:
        yield Ports(protocol, named[number], named[number])
