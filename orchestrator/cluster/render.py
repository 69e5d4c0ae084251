"""From a sweep, its plan and an overlay to the two objects that run it: an immutable ConfigMap and a RayJob.

The same sweep and overlay give the same bytes for every user: what is submitted and what is written for
GitOps are one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.cluster.capacity import WorkerGroup, groups, node_kinds
from orchestrator.cluster.documents import Document, KubeObject, dump, get, mapping, of_kind
from orchestrator.cluster.manifests import (
    ConfigMapMetadata,
    ConfigMapSource,
    JobMetadata,
    JobSpec,
    KeyToPath,
    SweepConfigMap,
    SweepJob,
    laid_over,
)
from orchestrator.cluster.naming import (
    DATA_DIR,
    QUEUE,
    QUEUE_LABEL,
    STORAGE,
    SWEEP_LABEL,
    SWEEP_NAME,
    content_name,
    sweep_id,
)
from orchestrator.cluster.placeholders import MOUNT, fill_in, move_cache
from orchestrator.config import ResolvedSweep
from orchestrator.config.catalogue import KINDS
from orchestrator.config.lock import lock_path
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.contracts.resources import Resources
from orchestrator.errors import ConfigError, Problem
from orchestrator.planning import Plan
from orchestrator.planning.packing import at_once
from orchestrator.text_files import read_text

FILE, LOCK = "sweep.yaml", "sweep.lock"
_LARGEST = 1024 * 1024  # bytes of a ConfigMap, by Kubernetes
_STORES = ("s3", "s3a", "file")  # what the image can open


@dataclass(frozen=True)
class Rendered:
    """What is applied for one sweep, in this order. The submitter makes the RayJob own the ConfigMap."""

    sweep_id: str
    config_map: KubeObject
    ray_job: KubeObject

    @property
    def text(self) -> str:
        return dump(self.config_map, self.ray_job)

    def documents(self, where: str) -> list[Document]:
        return [Document(where, self.config_map), Document(where, self.ray_job)]


def render(
    sweep: ResolvedSweep, plan: Plan, template: Sequence[Document], *, smoke: bool = False
) -> Rendered:
    """`template`: the objects of an overlay, its one RayJob among them. `smoke`: `plan` is that of the sweep
    at smoke size, while `sweep` is the full one. Raises ConfigError where the overlay cannot run the
    sweep."""
    job = _template(template)
    resolved = _resolved(sweep, plan, job)
    name = plan.sweep.config.name
    identity = sweep_id(name, str(resolved["storage"]))
    config_map, source = _config_map(resolved, sweep, identity, job.namespace)
    # Failed trials are in the report; a job that failed for them would be started again on a new cluster.
    entrypoint = f"frontier run {MOUNT / FILE} --address auto --exit-zero" + (" --smoke" if smoke else "")
    labels = {SWEEP_LABEL: identity}
    queue = job.annotations.get(QUEUE)
    ours = SweepJob(
        metadata=JobMetadata(
            name=identity,
            labels=labels | ({QUEUE_LABEL: queue} if queue else {}),
            annotations={
                STORAGE: str(resolved["storage"]),
                SWEEP_NAME: name,
                "frontier/trials": str(len(plan.trials)),
            },
        ),
        spec=JobSpec(entrypoint=entrypoint),
    )
    ray_job = Document(job.where, laid_over(copy.deepcopy(job.body), ours.model_dump(mode="json")))
    fill_in(ray_job, entrypoint, source, labels)
    move_cache(ray_job, str(job.annotations.get(STORAGE)), str(resolved["storage"]))
    return Rendered(identity, config_map.model_dump(mode="json"), ray_job.body)


def _template(documents: Sequence[Document]) -> Document:
    jobs = of_kind(documents, "RayJob")
    if len(jobs) != 1:
        where = documents[0].where if documents else "the overlay"
        problem = f"holds {len(jobs)} RayJobs"
        raise ConfigError([Problem(where, "", problem, "give an overlay with one: it is the template")])
    return jobs[0]


def _resolved(sweep: ResolvedSweep, plan: Plan, job: Document) -> dict[str, object]:
    """The sweep's file as the driver in the cluster reads it: overrides applied, paths those of the pods."""
    resolved = dict(sweep.raw)
    storage = str(resolved.get("storage", ""))
    if "://" in storage and storage.partition("://")[0] not in _STORES:
        problem = f"{storage}: the image of the pods cannot open such a store"
        fix = f"use s3://bucket/prefix, or a path on the shared mount, say {job.annotations.get(STORAGE)}"
        raise ConfigError([Problem(str(sweep.file), "storage", problem, fix)])
    if "://" not in storage and not storage.startswith("/"):
        if STORAGE not in job.annotations:
            fix = f"annotate the template with {STORAGE}, or give storage=PATH as the pods see it"
            raise ConfigError([job.problem_at("metadata.annotations", "no place for the records", fix)])
        storage = str(job.annotations[STORAGE])
    resolved["storage"] = storage
    mounted = job.annotations.get(DATA_DIR)
    data_dir = resolved.get("data_dir")
    reads = any(cell.task.spec.reads_data_dir for cell in sweep.grid.cells)
    inside = data_dir and PurePosixPath(str(data_dir)).is_relative_to(str(mounted))
    if mounted and not inside and (data_dir or reads):
        resolved["data_dir"] = str(mounted)
    if sweep.config.catalogues:
        resolved["catalogues"] = [str(MOUNT / _folder(n)) for n in range(len(sweep.config.catalogues))]
    resolved["capacity"] = _capacity(plan, job)
    return resolved


def _refuse_unnamed_device(plan: Plan, has_gpus: bool) -> None:
    """Refuse a sweep without a named device: the cluster plans again on a head that has no GPU to look at."""
    asked = plan.sweep.raw.get("resources")
    if (
        has_gpus
        and isinstance(plan.sweep.config.resources, AutoResources)
        and not mapping(asked).get("device")
    ):
        problem = (
            "leaves its device to the machine that plans, and in a cluster that is the head, without a GPU"
        )
        fix = "name it: resources: {device: nvidia-a100-80gb}; configs/devices has those that are known"
        raise ConfigError([Problem(str(plan.sweep.file), "resources", problem, fix)])


def _capacity(plan: Plan, job: Document) -> list[dict[str, object]]:
    """Return what the groups may grow to, for the driver: an autoscaled cluster begins empty and reports no
    limit."""
    worker_groups = groups(mapping(get(job.spec, "rayClusterSpec")))
    _refuse_unnamed_device(plan, any(group.gpus for group in worker_groups))
    kinds = node_kinds(worker_groups)
    sizes = {trial.resources for trial in plan.trials} or {Resources()}
    problems = [_too_large(size, worker_groups, job) for size in sizes if not at_once(kinds, size)]
    if problems:
        raise ConfigError(problems)
    return [kind.model_dump(mode="json", exclude_defaults=True) for kind in kinds]


def _too_large(size: Resources, worker_groups: Sequence[WorkerGroup], job: Document) -> Problem:
    """Or of a kind of GPU that no group has."""
    demand = f"a trial of {size.cpus} CPU and {size.gpus:g} GPU"
    if size.nodes > 1:
        demand += f" over {size.nodes} pods"
    fix = "lower the sweep's `resources`, or choose an overlay with larger pods"
    if size.device is not None and size.device not in {group.device for group in worker_groups}:
        demand += f", planned for {size.device}"
        fix = (
            "name a device of the overlay in the sweep's `resources`, or give the group that has this one "
            f"the label {DEVICE_LABEL}: {size.device} (docs/how-to/resources.md)"
        )
    groups = ", ".join(map(str, worker_groups)) or "no groups"
    problem = f"{'no pod holds' if size.nodes == 1 else 'the pods do not hold'} {demand}; there are {groups}"
    return job.problem_at("spec.rayClusterSpec.workerGroupSpecs", problem, fix)


def _config_map(
    resolved: dict[str, object], sweep: ResolvedSweep, identity: str, namespace: str
) -> tuple[SweepConfigMap, ConfigMapSource]:
    data, paths = {FILE: dump(resolved)}, {FILE: FILE}
    if (lock := lock_path(sweep.file)).is_file():
        data[LOCK], paths[LOCK] = read_text(lock), LOCK
    for number, directory in enumerate(sweep.config.catalogues):
        for file in sorted(file for kind in KINDS for file in Path(directory, kind).glob("*.yaml")):
            inside = file.relative_to(directory).as_posix()
            key = f"{_folder(number)}--{inside.replace('/', '--')}"
            data[key], paths[key] = read_text(file), f"{_folder(number)}/{inside}"
    content = json.dumps(data, sort_keys=True).encode()
    if len(content) >= _LARGEST:
        problem = f"the sweep and its catalogues are {len(content):,} bytes; a ConfigMap holds {_LARGEST:,}"
        raise ConfigError([Problem(str(sweep.file), "", problem, "put the catalogues into the image")])
    name = content_name(identity, content)
    metadata = ConfigMapMetadata(name=name, namespace=namespace, labels={SWEEP_LABEL: identity})
    items = tuple(KeyToPath(key=key, path=path) for key, path in sorted(paths.items()))
    return SweepConfigMap(metadata=metadata, data=data), ConfigMapSource(name=name, items=items)


def _folder(number: int) -> str:
    return f"catalogue-{number}"
