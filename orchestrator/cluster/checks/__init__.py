"""The checker: every mistake of a set of manifests that can be told without a cluster, all at once."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cluster.checks import (
    house_rules,
    kuberay_rules,
    kueue,
    names,
    pod_security,
    reachability,
    resource_names,
    scheduling,
    schema,
    versions,
)
from orchestrator.cluster.checks.pods import created_pods
from orchestrator.cluster.documents import Document
from orchestrator.errors import Complaint


def check_manifests(documents: Sequence[Document], *, ask_ray: bool = True) -> list[Complaint]:
    """`ask_ray`: let Ray's autoscaler read each cluster, which loads Ray."""
    pods = created_pods(documents)
    found = [
        *schema.check(documents),
        *kuberay_rules.check(documents),
        *house_rules.check(documents, pods),
        *resource_names.check(pods),
        *pod_security.check(documents, pods),
        *names.check(documents, pods),
        *reachability.check(documents, pods),
        *kueue.check(documents),
        *versions.check(documents, pods),
    ]
    if ask_ray and not found:
        found += scheduling.check(documents)
    return list(dict.fromkeys(found))
