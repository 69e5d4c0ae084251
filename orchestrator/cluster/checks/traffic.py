"""The table "Who may talk to whom" of k8s/README.md. What is in no row of it must be shut."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.cluster.checks.network_peers import (
    ALL_PORTS,
    LAST_PORT,
    Block,
    Net,
    Peer,
    Ports,
    Selected,
    is_within,
)

# Annotation of a policy by which its author says that a way to a store is meant. "buckets": public addresses,
# by HTTPS; "object-store": a store at addresses, or in pods, of one's own. "private-networks": an API server
# at some private address, for a cluster that is one machine: elsewhere a hospital's servers are there.
ALLOWS, BUCKETS, OBJECT_STORE = "frontier/allows", "buckets", "object-store"
PRIVATE_NETWORKS = "private-networks"

_A_FEW, _A_NETWORK = 16, 65536  # addresses: of an API server, of a store of one's own


def _nets(*cidrs: str) -> tuple[Net, ...]:
    return tuple(map(ipaddress.ip_network, cidrs))


_PRIVATE = _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_OF_THE_NODE = _nets("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32")
_NODE_LOCAL_DNS = _nets("169.254.20.10/32")


@dataclass(frozen=True)
class TrafficRow:
    of: tuple[str, ...]  # roles; none: every pod of ours
    direction: str
    is_peer: Callable[[Peer, str], bool]  # the second: the namespace of the sweeps
    ports: tuple[Ports, ...]
    allowed_by: str | None = None  # what the policy must be annotated with


def _tcp(*numbers: int) -> tuple[Ports, ...]:
    return tuple(Ports("TCP", number, number) for number in numbers)


def _pods(*labels: tuple[str, str], namespace: str | None = None) -> Callable[[Peer, str], bool]:
    """Return a test for pods with one of `labels`, if any are given. `namespace` None is that of the
    sweeps."""

    def _is(peer: Peer, ours: str) -> bool:
        if not isinstance(peer, Selected) or peer.namespace != (namespace or ours):
            return False
        return not labels or any(label in peer.labels for label in labels)

    return _is


def _dns(peer: Peer, ours: str) -> bool:
    local = isinstance(peer, Block) and any(is_within(peer.net, net) for net in _NODE_LOCAL_DNS)
    return local or _pods(namespace="kube-system")(peer, ours)


def _api_server(peer: Peer, _: str) -> bool:
    if not isinstance(peer, Block) or any(peer.touches(net) for net in _OF_THE_NODE):
        return False
    return peer.net.num_addresses <= _A_FEW


def _private(peer: Peer, _: str) -> bool:
    return isinstance(peer, Block) and any(is_within(peer.net, net) for net in _PRIVATE)


def _public(peer: Peer, _: str) -> bool:
    return isinstance(peer, Block) and not any(peer.touches(net) for net in _PRIVATE + _OF_THE_NODE)


def _store(peer: Peer, _: str) -> bool:
    if isinstance(peer, Selected):
        return peer.namespace is not None and bool(peer.labels)
    return peer.net.num_addresses <= _A_NETWORK and not any(peer.touches(net) for net in _OF_THE_NODE)


_HEAD = _pods(("ray.io/node-type", "head"), ("frontier/role", "head"))
_NODES = _pods(
    ("ray.io/is-ray-node", "yes"),
    *((key, role) for key in ("ray.io/node-type", "frontier/role") for role in ("head", "worker")),
)
_SUBMITTER = _pods(("frontier/role", "submitter"))
_OPERATOR = _pods(("app.kubernetes.io/name", "kuberay-operator"), namespace="kuberay-operator")
_PROMETHEUS = _pods(namespace="monitoring")
_MLFLOW = _pods(("app.kubernetes.io/name", "mlflow"))
_DATABASE = _pods(("app.kubernetes.io/name", "mlflow-postgres"))
_RAY = ("head", "worker")
_IN, _OUT = "Ingress", "Egress"

ROWS = (
    TrafficRow(_RAY, _IN, _NODES, (ALL_PORTS,)),
    TrafficRow(_RAY, _OUT, _NODES, (ALL_PORTS,)),
    TrafficRow(("submitter",), _OUT, _HEAD, _tcp(8265)),
    TrafficRow(("head",), _IN, _SUBMITTER, _tcp(8265)),
    TrafficRow(("head",), _IN, _OPERATOR, _tcp(8265)),
    TrafficRow(("head",), _OUT, _api_server, _tcp(443, 6443)),
    TrafficRow(("head",), _OUT, _private, _tcp(443, 6443), PRIVATE_NETWORKS),
    TrafficRow(("head",), _OUT, _MLFLOW, _tcp(5000)),
    TrafficRow(("mlflow",), _IN, _HEAD, _tcp(5000)),
    TrafficRow(("mlflow",), _OUT, _DATABASE, _tcp(5432)),
    TrafficRow(("mlflow-postgres",), _IN, _MLFLOW, _tcp(5432)),
    TrafficRow(_RAY, _IN, _PROMETHEUS, _tcp(8080)),
    TrafficRow((), _OUT, _dns, (*_tcp(53), Ports("UDP", 53, 53))),
    TrafficRow(_RAY, _OUT, _public, _tcp(443), BUCKETS),
    TrafficRow(_RAY, _OUT, _store, (Ports("TCP", 1, LAST_PORT),), OBJECT_STORE),
)


def may(role: str, direction: str, peer: Peer, ports: Ports, allows: str | None, ours: str) -> bool:
    """`role`: "head", "worker", "submitter", or the name of a workload. `allows`: how the policy that opens
    it is annotated."""
    return any(
        row.direction == direction
        and (not row.of or role in row.of)
        and row.allowed_by in (None, allows)
        and any(ports.within(permitted) for permitted in row.ports)
        and row.is_peer(peer, ours)
        for row in ROWS
    )
