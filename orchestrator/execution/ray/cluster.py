"""The Ray cluster that trials run on: one of our own on this machine, or the user's."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import psutil
import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import RayError
from ray.job_config import JobConfig

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.contracts.resources import Resources
from orchestrator.errors import LaunchError
from orchestrator.execution.launcher import ClusterChoice, DashboardReady
from orchestrator.execution.open_services import status_of

_OBJECT_STORE_BYTES = 200 * 2**20  # holds the jobs, nothing of the training


@contextmanager
def cluster(
    choice: ClusterChoice, directory: Path, cpus: int | None, token: str | None
) -> Iterator[DashboardReady | None]:
    """Connect to a cluster, or start one with `cpus` cores (None: all) that dies with this process. One
    connected already is kept. Raises LaunchError where none can be joined, or one asks for no token."""
    if ray.is_initialized():
        yield None
        return
    try:
        url = (
            _connect(choice.address, choice.insecure)
            if choice.address
            else _start(directory, cpus, choice.dashboard is not False)
        )
        yield DashboardReady(f"http://{url}", token) if url else None
    finally:
        ray.shutdown()


def _connect(address: str, insecure: bool) -> str | None:
    _refuse_dead(address)
    try:
        context = ray.init(
            address=address,
            job_config=_NoCodeFromHere(),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise LaunchError(
            f"no Ray cluster can be joined at {address} ({type(error).__name__})\n"
            f"    -> set RAY_AUTH_TOKEN as that cluster has it, or {_FIX}"
        ) from error
    if not insecure:
        refuse_open(address, context.dashboard_url or None, os.environ)
    return context.dashboard_url or None


def refuse_open(address: str, dashboard: str | None, environment: Mapping[str, str]) -> None:
    """Raise LaunchError where the cluster just joined answers without a token, or may do so: its ports
    then run anybody's code, beside the corpora."""
    fix = "start it with RAY_AUTH_MODE=token and set RAY_AUTH_TOKEN here"
    if environment.get("RAY_AUTH_MODE") != "token":
        problem = "let this driver join without a token"
    elif (
        dashboard is not None and _is_this_machine(_host(dashboard)) and not _is_this_machine(_host(address))
    ):
        problem = (
            f"publishes its dashboard at {dashboard} of its own machine, where it cannot be asked from here"
        )
        fix = "start its head with --dashboard-host and an address of that machine"
    elif dashboard is None or (status := status_of(f"http://{dashboard}/api/version")) is None:
        problem = "has no dashboard that answers: whether it asks for a token is unknown"
    elif status == HTTPStatus.OK:
        problem = "answers without a token"
    else:
        return
    raise LaunchError(
        f"the Ray cluster at {address} {problem}\n"
        f"    -> {fix}; or set --insecure-cluster, which the report then states"
    )


def _host(address: str) -> str:
    """Return the host of HOST:PORT, with or without a scheme."""
    return address.rpartition("://")[2].rpartition(":")[0].strip("[]")


def _is_this_machine(host: str) -> bool:
    """`auto` and the like, which name no host, mean a cluster of this machine."""
    try:
        addresses = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)} if host else {"127.0.0.1"}
    except OSError:
        return False
    own = {item.address for items in psutil.net_if_addrs().values() for item in items}
    return bool(addresses & own)


def _start(directory: Path, cpus: int | None, dashboard: bool) -> str | None:
    """Start a private cluster. Ray waits 30 seconds for a node: a busy machine gets a second try."""
    for _ in range(2):
        with suppress(_TooLateError):
            return _started(directory, cpus, dashboard)
    raise LaunchError(
        "Ray did not start on this machine within 30 seconds, twice: the machine is too busy\n"
        "    -> run the same command when fewer programs run, or add --launcher local, which needs no Ray"
    )


class _TooLateError(Exception):
    """The processes of a node were not up in time."""


def _started(directory: Path, cpus: int | None, dashboard: bool) -> str | None:
    """Return the URL of the dashboard, if there is one. Where it fails, what was started has ended."""
    before = set(psutil.Process().children())
    try:
        context = ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=dashboard,
            job_config=_NoCodeFromHere(),
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(directory),
            # Actors start a process when they need one; a sweep may need fewer than there are cores.
            _system_config={"prestart_worker_first_driver": False},
        )
    except Exception as error:  # Ray raises the bare class, too
        for process in set(psutil.Process().children()) - before:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait()
        if "timed out during startup" in str(error):
            raise _TooLateError from error
        raise LaunchError(
            f"Ray could not start on this machine ({type(error).__name__}: {error})\n"
            "    -> remove the cause, or add --launcher local, which needs no Ray"
        ) from error
    return context.dashboard_url or None


class _NoCodeFromHere(JobConfig):  # type: ignore[misc]
    """Ray puts the driver's script folder and working directory on the path of every worker, unless the job
    brings a working directory. Ours needs neither: workers import what is installed where they run."""

    def _runtime_env_has_working_dir(self) -> bool:
        return True


_OR_NONE = "without an address `frontier` starts a cluster of its own"
_FIX = f"correct --address, or unset RAY_ADDRESS where it comes from the environment; {_OR_NONE}"
_FORM = "set --address, or RAY_ADDRESS where it comes from the environment, to HOST:PORT, say 127.0.0.1:6379"
_CONNECT_SECONDS = 20.0  # Ray itself would try for more than ten minutes
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # and settings of ours: none
_FRAME_HEAD, _SETTINGS = 9, b"\4"
_HIGHEST_PORT = 65535


def _refuse_dead(address: str) -> None:
    """Raise LaunchError where nothing that speaks gRPC answers at HOST:PORT. Ray resolves `auto`, and what
    other schemes than `ray://` name.

    A gRPC server answers the preface of a connection with a frame of settings (RFC 9113, section 3.4).
    """
    plain = address.removeprefix("ray://")
    if plain == "auto" or "://" in plain:
        return
    host, _, port = plain.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise LaunchError(f"expected HOST:PORT, got {address!r}\n    -> {_FORM}; {_OR_NONE}")
    reason = "what listens there is no cluster"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS) as connection:
            connection.sendall(_PREFACE)
            if connection.recv(_FRAME_HEAD)[3:4] == _SETTINGS or os.environ.get("RAY_USE_TLS", "0") != "0":
                return
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise LaunchError(f"no Ray cluster answers at {address} ({reason})\n    -> {_FIX}")


def gpus() -> float | None:
    """Return the GPUs of all nodes that are up, None if the cluster does not answer."""
    try:
        return float(sum(kind.nodes * kind.gpus for kind in nodes()))
    except (RayError, RuntimeError):
        return None


@contextmanager
def asked_for(trial: Resources) -> Iterator[None]:
    """While this is held, the autoscaler keeps room for one such trial. A cluster without one takes no
    notice."""
    bundle: dict[str, float] = {"CPU": trial.cpus / trial.nodes}
    if trial.gpus:
        bundle["GPU"] = math.ceil(trial.gpus / trial.nodes)
    labels = {} if trial.device is None else {DEVICE_LABEL: trial.device}
    try:
        with suppress(RayError, RuntimeError):
            request_resources(bundles=[bundle] * trial.nodes, bundle_label_selectors=[labels] * trial.nodes)
        yield
    finally:
        with suppress(RayError, RuntimeError):
            request_resources(bundles=[])


def nodes() -> tuple[NodeKind, ...]:
    """Return the current nodes of the cluster."""
    alike: Counter[tuple[int, int, str | None]] = Counter()
    for node in ray.nodes():
        if node["Alive"]:
            has, device = node["Resources"], node["Labels"].get(DEVICE_LABEL)
            alike[int(has.get("CPU", 0)), int(has.get("GPU", 0)), device] += 1
    return tuple(
        NodeKind(nodes=count, cpus=cpus, gpus=gpus, device=device)
        for (cpus, gpus, device), count in alike.items()
    )
