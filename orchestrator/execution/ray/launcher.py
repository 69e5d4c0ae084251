"""Trials on a Ray cluster: one of our own on this machine, or the user's by address.

Ray reads its settings while it is imported, so this file sets them first, and imports the files that import
ray when it runs.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.child_processes import safe_environment
from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.contracts.resources import Resources
from orchestrator.errors import LaunchError
from orchestrator.execution.attempts import attempts_so_far
from orchestrator.execution.clock import Clock, SystemClock
from orchestrator.execution.launcher import (
    ClusterChoice,
    Hold,
    Notify,
    TrialOrder,
    Workplace,
    in_order,
    never,
)
from orchestrator.execution.ray.launch_directory import local_directory, shared_directory
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.trial_events import Job, TrialFeed, uncounted
from orchestrator.execution.worker_slot import AttemptHosts, HostFactory
from orchestrator.planning.packing import TrialQueue, at_once

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the other output prints a table however low the verbosity
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours ends the attempts and bills them
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # the ledger is the state; Tune's own is never read back
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
# Of the user's shell: they would move or steer a cluster that is private.
_FOREIGN = ("RAY_ADDRESS", "RAY_TMPDIR", "RAY_NAMESPACE", "RAY_JOB_CONFIG_JSON_ENV_VAR")
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: a node's address is 127.0.0.1, and all of it binds there


class RayLauncher:
    """`address` None or `local`: a private cluster with `cpus` cores (None: all), taken down afterwards; it
    joins no other, and none joins it. Else the cluster of that address, with the user's own settings for its
    token."""

    def __init__(
        self,
        workplace: Workplace,
        policy: RetryPolicy,
        *,
        address: str | None = None,
        insecure: bool = False,
        dashboard: bool = True,
        cpus: int | None = None,
        concurrency: int | None = None,
        capacity: Sequence[NodeKind] | None = None,
        host_factory: HostFactory | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._workplace, self._policy, self._cpus = workplace, policy, cpus
        self._choice = ClusterChoice(joined_address(address, os.environ), insecure, dashboard)
        self._concurrency, self._capacity = concurrency, capacity
        self._host_factory, self._clock = host_factory or AttemptHosts(), clock or SystemClock()
        self._session: ExitStack | None = None  # keeps the cluster up between launches
        self._directory: Path | None = None  # of the cluster that is up
        self._launches = 0

    @contextmanager
    def session(self) -> Iterator[None]:
        """One cluster for all launches, started by the first one that has something to run."""
        with ExitStack() as stack:
            self._session = stack
            try:
                yield
            finally:
                self._session = self._directory = None

    def run(self, trials: Sequence[TrialOrder], notify: Notify, hold: Hold = never) -> None:
        if not trials:
            return
        jobs = [Job(t, attempts_so_far(self._workplace, t.name)) for t in in_order(trials)]
        needs_gpus = any(job.trial.resources.gpus for job in jobs)
        feed = TrialFeed(
            jobs, self._workplace, self._policy, notify, self._clock, hold, _gpus if needs_gpus else uncounted
        )
        os.environ.update(_QUIET)
        with ExitStack() as launch:
            directory = self._cluster(self._session or launch, notify)
            from orchestrator.execution.ray import cluster, tune

            there = cluster.nodes()
            line = self._line([job.trial.resources for job in jobs], there)
            self._launches += 1
            scratch = directory / f"tune-{self._launches}"
            tune_launch = tune.Launch.of(jobs, self._workplace, self._policy, self._host_factory)
            tune.fit(tune_launch, jobs, feed, scratch, line)

    def _cluster(self, keeper: ExitStack, notify: Notify) -> Path:
        """Connect, unless an earlier launch of the session did; the directory of the cluster. It is taken
        down when `keeper` is closed."""
        if keeper is self._session and self._directory is not None:
            return self._directory
        directory = keeper.enter_context(self._cluster_directory())
        token = None if self._choice.address else private_cluster_token()
        from orchestrator.execution.ray import cluster

        dashboard = keeper.enter_context(cluster.cluster(self._choice, directory, self._cpus, token))
        if keeper is self._session:
            self._directory = directory
        if dashboard is not None:
            notify(dashboard)
        return directory

    def _line(self, trials: Sequence[Resources], there: Sequence[NodeKind]) -> TrialQueue:
        """Return the queue in which the trials wait for nodes: those that are `there`, or what the cluster
        may grow to.

        A cluster by address may grow in any case, so `concurrency` counts there even where fewer fit by now.
        Raises LaunchError where a trial does not fit and never will.
        """
        if self._choice.address:
            _refuse_unlabelled(trials, there)
            kinds = self._capacity or (None if self._concurrency else there)
            return TrialQueue(trials, kinds, self._concurrency)
        # One machine: which kind of GPU it has was for the user to know.
        trials = [trial.model_copy(update={"device": None}) for trial in trials]
        for trial in set(trials):
            if not at_once(there, trial):
                gpus = f" and {trial.gpus:g} GPU" if trial.gpus else ""
                sizes = ", ".join(f"{kind.cpus} CPU and {kind.gpus} GPU" for kind in there)
                raise LaunchError(
                    f"a trial wants {trial.cpus} CPU{gpus}, and this machine has {sizes}\n"
                    "    -> lower `resources`, or give the --address of a larger cluster"
                )
        return TrialQueue(trials, there, self._concurrency)

    def _cluster_directory(self) -> AbstractContextManager[Path]:
        """Return a directory that is private to this launch: sockets, logs and Tune's own files. Never in the
        ledger."""
        if self._choice.address and self._workplace.remote is None:
            # Tune wants a directory that all machines share.
            return shared_directory(self._workplace.sweep_directory.parent)
        return local_directory()


@contextmanager
def nodes_ahead(choice: ClusterChoice, trial: Resources) -> Iterator[None]:
    """Ask a cluster by address for the nodes of one trial while this is held, so that they start while its
    inputs are staged; no other cluster is asked. Raises LaunchError where the cluster cannot be joined."""
    address = joined_address(choice.address, os.environ)
    if address is None:
        yield
        return
    os.environ.update(_QUIET)
    from orchestrator.execution.ray import cluster

    joined = ClusterChoice(address, choice.insecure)
    with cluster.cluster(joined, Path(), None, None), cluster.asked_for(trial):
        yield


def _gpus() -> float | None:
    from orchestrator.execution.ray import cluster

    return cluster.gpus()


def _refuse_unlabelled(trials: Sequence[Resources], there: Sequence[NodeKind]) -> None:
    """Raise LaunchError if trials name a device and the cluster's GPUs have no label."""
    devices = sorted({trial.device for trial in trials if trial.device is not None})
    with_gpus = [kind for kind in there if kind.gpus]
    if devices and with_gpus and all(kind.device is None for kind in with_gpus):
        count = sum(kind.nodes for kind in with_gpus)
        raise LaunchError(
            f"the trials are planned for {', '.join(devices)}, and the nodes of the cluster that have GPUs "
            f"({count}) do not say which\n"
            f"    -> start them with `ray start --labels {DEVICE_LABEL}=NAME` (on Kubernetes: `labels` of "
            "the worker group), or say what a trial is given without a device: resources={cpus: 4, gpus: 1}"
        )


def joined_address(address: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the address of the cluster to join, None for a private one.

    Ray's word for that is `local`, which it would start on every interface and without a token. `auto` is
    what RAY_ADDRESS names, as in Ray, and without it the cluster that runs on this machine.
    """
    asked = (address or "").strip()
    if asked == "auto":
        asked = environment.get("RAY_ADDRESS", "").strip() or asked
    return None if asked in ("", "local", "local://") else asked


@cache
def private_cluster_token() -> str:
    """A fresh random token for the private clusters of this process; sets what Ray reads at its import."""
    token = secrets.token_hex(32)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(safe_environment(os.environ))
    os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, LOOPBACK: "0"})
    return token
