"""What a sweep in a cluster waits for, in words."""

from __future__ import annotations

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.watch import Look

OPERATOR_SECONDS = 30.0  # within which KubeRay's operator writes a first status


def silent_operator(cluster: Cluster) -> str:
    return (
        f"KubeRay's operator has not taken up the RayJob for {OPERATOR_SECONDS:.0f} s\n"
        f"    -> {cluster.command('doctor')} looks whether it runs; an administrator sees why not with "
        "`kubectl get pods --all-namespaces -l app.kubernetes.io/name=kuberay-operator`"
    )


def waits_for(look: Look, cluster: Cluster) -> str:
    job = look.job
    if job.going:
        return "the last cluster of the sweep to go"
    if job.suspended:
        return f"the queue {job.queued_by}" if job.queued_by else cluster.command("resume", job.name)
    if not job.deployment:
        return "KubeRay's operator to take it up"
    if job.ray_state == "RUNNING":
        return "the driver's next word"
    head = [str(group) for group in look.pending if group.who == "head"]
    ready, _ = look.pods.get("head", (0, 0))
    if not ready:
        return f"the head to be ready ({head[0]})" if head else "the head to be ready"
    return (
        f"the driver to start (the submitter: {look.submitter})" if look.submitter else "the driver to start"
    )
