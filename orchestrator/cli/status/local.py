"""A sweep that runs on this machine: following it, and stopping it."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path

from rich.console import Console

from orchestrator.cli.cluster.lookup import InClusterError, look_in_cluster
from orchestrator.cli.cluster_options import ClusterOptions, has_kubeconfig
from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.paths import in_command, ledger_of
from orchestrator.cli.status.watch import watch
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import ConfigError, ExitCode, InterruptedSweepError, Problem
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import duration, quantity

_LOOK_SECONDS = 0.5


def sweep_here(sweep: str, storage: str, where: ClusterOptions) -> Ledger | None:
    """Return the records of a sweep that this machine runs or ran; None if the sweep is for the cluster.

    A driver of this machine decides, else the cluster of the kubeconfig, if it has a sweep of that name.
    Raises ConfigError where there is no cluster to ask and no sweep of that name here.
    """
    if where.is_given:
        return None
    try:
        ledger = ledger_of(sweep, storage)
    except InClusterError:
        return None
    except ConfigError:
        if has_kubeconfig():
            return None
        raise
    if copy_in(ledger.directory) is not None:
        return None
    if ledger.driver_here() is None:
        try:
            look_in_cluster(sweep, storage, where)
        except InClusterError:
            return None
    return ledger


def follow_here(ledger: Ledger, console: Console) -> int:
    """Show a sweep until it ends or Ctrl-C, and return an exit code: 1 if trials failed or are left."""
    name = ledger.directory.name
    if not watch(ledger, console):
        raise InterruptedSweepError(
            f"{name} runs on; `frontier follow {in_command(ledger.directory)}` shows it again"
        )
    states = _states(ledger)
    _say_rest(ledger.directory, states, console)
    return ExitCode.DONE if set(states) <= {TrialState.FINISHED} else ExitCode.TRIALS_FAILED


def stop_here(ledger: Ledger, console: Console) -> None:
    """End the process that runs the sweep, as Ctrl-C does, and wait until it has ended.

    Raises ConfigError where it runs on another machine or belongs to another account.
    """
    name, pid = ledger.directory.name, ledger.driver_here()
    if pid is None:
        if driver := ledger.driver():
            fix = "run `frontier stop` there, or end that process"
            raise ConfigError([Problem(name, "", f"{driver} runs this sweep", fix)])
        _say_idle(ledger, console)
        return
    try:
        os.kill(pid, signal.SIGINT)
    except PermissionError:
        problem = f"process {pid} runs this sweep, and belongs to another account"
        raise ConfigError([Problem(name, "", problem, "ask its owner to stop it")]) from None
    except ProcessLookupError:  # it has just ended
        _say_idle(ledger, console)
        return
    console.print(f"{name}: process {pid} ends its running attempts, then itself", highlight=False)
    never = threading.Event()
    with (
        console.status(f"waiting for process {pid}"),
        heartbeat(
            console, lambda seconds: f"waiting for process {pid}; {duration(seconds)} so far", prefix=""
        ),
    ):
        while ledger.driver_here() == pid:
            never.wait(_LOOK_SECONDS)
    _say_rest(ledger.directory, _states(ledger), console)


def _states(ledger: Ledger) -> Counter[TrialState]:
    return Counter(record.state for record in ledger.trials())


def _say_idle(ledger: Ledger, console: Console) -> None:
    console.print(f"{ledger.directory.name} does not run", highlight=False)
    _say_rest(ledger.directory, _states(ledger), console)


def _say_rest(directory: Path, states: Counter[TrialState], console: Console) -> None:
    total = sum(states.values())
    counts = f"{states[TrialState.FINISHED]} of {quantity(total, 'trial')} finished"
    failed, left = states[TrialState.FAILED], total - states[TrialState.FINISHED] - states[TrialState.FAILED]
    counts += f", {failed} failed" if failed else ""
    report = f"; `frontier report {in_command(directory)}` writes its report"
    way = "; the command that started it continues from here" if left else report
    console.print(f"{directory.name}: {counts}{way}", highlight=False, soft_wrap=True)
