"""Ray's own autoscaler, asked about a cluster that is only on paper.

The RayCluster goes through the code that reads it on the head, and the scheduler of autoscaler v2 is asked
which pods a demand starts. Importing this module is free; Ray is loaded by the first question.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.cluster.checks.pods import cluster_of
from orchestrator.cluster.documents import Document, KubeObject, of_kind
from orchestrator.errors import Problem


@dataclass(frozen=True)
class Demand:
    """`count` trials, each of which waits for all its `bundles` at once."""

    bundles: tuple[dict[str, float], ...]
    count: int = 1
    labels: tuple[tuple[str, str], ...] = ()  # that the pod must have, say ray.io/accelerator-type


@dataclass(frozen=True)
class Started:
    """Pods that the demand starts, by group, and how many trials find no room in the groups."""

    pods: dict[str, int]
    left: int


def check(documents: Sequence[Document]) -> Iterator[Problem]:
    for job in of_kind(documents, "RayJob", "RayCluster"):
        ray_cluster = cluster_of(job)
        if ray_cluster is None:
            continue
        cluster, key = ray_cluster
        try:
            _autoscaling_config(job, cluster)
        except Exception as error:  # whatever Ray's code makes of a wrong manifest
            reason = str(error).strip().splitlines() or [type(error).__name__]
            problem = f"Ray's autoscaler cannot read it: {reason[0]}"
            yield job.problem_at(key, problem, "give each group replicas, CPU and memory limits as numbers")


def node_types(job: Document) -> KubeObject:
    """Ray's view of the groups: resources, labels, limits and priority, by name."""
    ray_cluster = cluster_of(job)
    if ray_cluster is None:
        raise ValueError(f"{job.kind}/{job.name} holds no Ray cluster")
    types: KubeObject = _autoscaling_config(job, ray_cluster[0])["available_node_types"]
    return types


def _autoscaling_config(job: Document, cluster: KubeObject) -> KubeObject:
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

    metadata = {"name": job.name, "namespace": job.namespace or "default"}
    config: KubeObject = _derive_autoscaling_config_from_ray_cr({"metadata": metadata, "spec": cluster})
    return config


def pods_started(job: Document, demands: Sequence[Demand]) -> Started:
    """Return which pods the real scheduler starts for this demand on a cluster that has only its head."""
    from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
    from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest

    ray_cluster = cluster_of(job)
    if ray_cluster is None:
        raise ValueError(f"{job.kind}/{job.name} holds no Ray cluster")
    config = AutoscalingConfig(_autoscaling_config(job, ray_cluster[0]), skip_content_hash=True)
    logging.getLogger("ray.autoscaler").setLevel(logging.ERROR)
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=config.get_node_type_configs(),
        max_num_nodes=config.get_max_num_nodes(),
        gang_resource_requests=[gang for demand in demands for gang in _gangs(demand)],
    )
    reply = ResourceDemandScheduler().schedule(request)
    head = config.get_head_node_type()
    pods = {launch.instance_type: launch.count for launch in reply.to_launch if launch.instance_type != head}
    return Started(dict(sorted(pods.items())), len(reply.infeasible_gang_resource_requests))


def _gangs(demand: Demand) -> Iterator[Any]:
    """Yield the demand in Ray's protocol: one gang per placement group."""
    from ray.autoscaler.v2.utils import ResourceRequestUtil
    from ray.core.generated.autoscaler_pb2 import GangResourceRequest
    from ray.core.generated.common_pb2 import LabelSelectorOperator

    operator = LabelSelectorOperator.LABEL_OPERATOR_IN
    selectors = [[(name, operator, [value]) for name, value in demand.labels]] if demand.labels else None
    for _ in range(demand.count):
        requests = [ResourceRequestUtil.make(b, None, selectors) for b in demand.bundles]
        yield GangResourceRequest(requests=requests)
