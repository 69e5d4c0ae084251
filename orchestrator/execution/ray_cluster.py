"""The Ray cluster that trials run on: one of our own on this machine, or the user's."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.errors import LaunchError
from orchestrator.execution.launcher import DashboardReady

_OBJECT_STORE_BYTES = 200 * 2**20  # holds the jobs, nothing of the training


@contextmanager
def cluster(
    address: str | None, directory: Path, cpus: int | None, token: str | None
) -> Iterator[DashboardReady | None]:
    """Connect to a cluster, or start one that dies with this process. One connected already is kept."""
    if ray.is_initialized():
        yield None
        return
    try:
        url = _connect(address) if address else _start(directory, cpus)
        yield DashboardReady(f"http://{url}", token) if url else None
    finally:
        ray.shutdown()


def _connect(address: str) -> str | None:
    try:
        context = ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise LaunchError(
            f"no Ray cluster can be joined at {address} ({type(error).__name__})\n"
            "    -> check --address or RAY_ADDRESS, and RAY_AUTH_TOKEN; without an address `frontier` starts"
            " a cluster of its own"
        ) from error
    return context.dashboard_url or None


def _start(directory: Path, cpus: int | None) -> str | None:
    context = ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=True,
        object_store_memory=_OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(directory),
    )
    return context.dashboard_url or None


def nodes() -> tuple[NodeKind, ...]:
    """Of the cluster by now."""
    alike: Counter[tuple[int, int, str | None]] = Counter()
    for node in ray.nodes():
        if node["Alive"]:
            has, device = node["Resources"], node["Labels"].get(DEVICE_LABEL)
            alike[int(has.get("CPU", 0)), int(has.get("GPU", 0)), device] += 1
    return tuple(
        NodeKind(nodes=count, cpus=cpus, gpus=gpus, device=device)
        for (cpus, gpus, device), count in alike.items()
    )
