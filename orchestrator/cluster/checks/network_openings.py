"""What the NetworkPolicies open, as peers and ports, held against the table of `talk`.

No peer is asked for by name: what no row permits is a problem, whichever the peer. A peer is one that a
row knows if the labels that it must have include that row's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks import traffic
from orchestrator.cluster.checks.network_peers import METADATA, Block, Peer, Ports, peers_of, ports_of
from orchestrator.cluster.checks.network_policies import Network, Place
from orchestrator.cluster.documents import Document, KubeObject, items
from orchestrator.errors import Problem

_FIELDS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


def check(network: Network, places: Sequence[Place], job: Document) -> Iterator[Problem]:
    """`places`: our pods. `job`: the one whose sweeps they serve."""
    for direction in _FIELDS:
        for endpoint in places:
            if not any(network.selects(policy, endpoint, direction) for policy in network.policies):
                problem = f"{endpoint.name} is open: no policy selects it for {direction}"
                fix = "base/networkpolicy-default-deny.yaml shuts all"
                yield job.problem_at("NetworkPolicy", problem, fix)
        for policy in network.policies:
            mine = [endpoint for endpoint in places if network.selects(policy, endpoint, direction)]
            rules = _FIELDS[direction][0]
            for number, rule in enumerate(items(policy.spec.get(rules))):
                opened = _beyond_the_table(policy, direction, rule, mine, job.namespace)
                for problem in opened:
                    fix = "narrow its peers and ports to a row of that table, or remove the rule"
                    yield policy.problem_at(f"spec.{rules}.{number}", problem, fix)


def _beyond_the_table(
    policy: Document, direction: str, rule: KubeObject, mine: Sequence[Place], ours: str
) -> Iterator[str]:
    allows = policy.annotations.get(traffic.ALLOWS)
    beyond: dict[tuple[Peer, Ports], list[str]] = {}
    for endpoint in mine:
        table_ports = endpoint.ports if direction == "Ingress" else None
        peers = peers_of(rule, _FIELDS[direction][1], policy.namespace)
        for peer, ports in itertools.product(peers, ports_of(rule, table_ports)):
            if not traffic.may(endpoint.role, direction, peer, ports, allows, ours):
                beyond.setdefault((peer, ports), []).append(endpoint.name)
    for (peer, ports), names in beyond.items():
        pods = ", ".join(names)
        way = f"{pods} -> {peer}" if direction == "Egress" else f"{peer} -> {pods}"
        if direction == "Egress" and isinstance(peer, Block) and peer.touches(METADATA):
            way += " and the metadata server, which hands out the node's role"
        yield f"{way}, {ports}, is open; no row of the table in k8s/README.md permits it"
