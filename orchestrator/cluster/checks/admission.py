"""What surrounds the sweeps of a namespace: its quota, and the budget that holds a drained node for the
driver and for no other pod."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.network_policies import matches
from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.documents import Document, get, of_kind
from orchestrator.errors import Problem

GPU_QUOTA = "requests.nvidia.com/gpu"


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    budgets = of_kind(documents, "PodDisruptionBudget")
    for budget in budgets:
        if any(pod.is_worker and _selects(budget, pod) for pod in pods):
            problem = "selects workers: they are replaceable, and upgrades of their nodes would hang"
            yield budget.problem_at("spec.selector", problem, "select ray.io/node-type: head")
    if not of_kind(documents, "Namespace"):
        return  # a sweep alone: the guards are the overlay's
    for job in documents:
        if cluster_of(job) is None:
            continue
        quotas = [q for q in of_kind(documents, "ResourceQuota") if q.namespace == job.namespace]
        if not any(get(quota.spec, "hard", GPU_QUOTA) is not None for quota in quotas):
            problem = f"namespace {job.namespace} has no quota of {GPU_QUOTA}: sweeps may take every GPU"
            yield job.problem_at("ResourceQuota", problem, "base/quota.yaml has one")
        heads = [pod for pod in pods if pod.document is job and pod.role == "head"]
        if not all(any(_selects(budget, head) for budget in budgets) for head in heads):
            problem = "no budget holds the head: a drained node would take the driver with it"
            yield job.problem_at("PodDisruptionBudget", problem, "base/pdb-head.yaml has one")


def _selects(budget: Document, pod: Pod) -> bool:
    selector = budget.spec.get("selector")
    return budget.namespace == pod.namespace and selector is not None and matches(selector, pod.labels)
