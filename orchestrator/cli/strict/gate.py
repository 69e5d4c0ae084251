"""A sweep over sensitive data starts where every check passes, or where its file accepts the risk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from rich.console import Console

from orchestrator.cli.session import Session
from orchestrator.cli.strict.machine import check_machine
from orchestrator.cli.strict.surroundings import surroundings
from orchestrator.cli.terminal import styled
from orchestrator.config import ResolvedSweep
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.contracts.vocabulary import Sensitivity
from orchestrator.errors import ConfigError, Problem
from orchestrator.execution.launcher import ClusterChoice

_ACCEPT = "or accept it in the sweep file: accepted_risks"


def refuse_risks(session: Session, launcher: str, cluster: ClusterChoice, console: Console) -> None:
    """Check this machine where a task of the sweep is over sensitive data.

    Raises ConfigError with each problem that the sweep does not accept. The accepted ones are shown here and
    in its report.
    """
    sweep = session.sweep
    if not sensitive_tasks(sweep):
        return
    from orchestrator.execution.ray.launcher import joined_address

    here = surroundings(
        sweep.storage,
        data_dir=sweep.data_dir,
        remote=sweep.remote,
        address=joined_address(cluster.address, os.environ) if launcher == "ray" else None,
        insecure=cluster.insecure,
    )
    refuse_problems(sweep, check_machine(here), console)


def refuse_problems(
    sweep: ResolvedSweep, results: Iterable[Checked], console: Console, where: str = "this machine"
) -> None:
    """Raise ConfigError with the problems that the sweep's file does not accept; show the others."""
    checks = list(results)
    problems = [checked for checked in checks if checked.is_problem]
    for checked in checks:
        if not checked.is_seen:
            console.print(
                styled("not checked yet", "yellow"),
                f"{checked.risk}: {checked.words}",
                highlight=False,
                soft_wrap=True,
            )
    accepted = sweep.config.accepted_risks
    for checked in problems:
        if checked.risk in accepted:
            console.print(
                styled("accepted risk", "yellow"),
                f"{checked.risk}: {checked.words}",
                highlight=False,
                soft_wrap=True,
            )
    refused = [checked for checked in problems if checked.risk not in accepted]
    if refused:
        tasks = ", ".join(sensitive_tasks(sweep))
        raise ConfigError([_complaint(where, checked, tasks, sweep) for checked in refused])


def sensitive_tasks(sweep: ResolvedSweep) -> Sequence[str]:
    """Return the names of the tasks whose data are marked so; what `--smoke` invents is not."""
    specs = {cell.task.spec.name: cell.task.spec for cell in sweep.grid.cells}
    return [name for name, spec in specs.items() if spec.data is Sensitivity.SENSITIVE and not spec.invented]


def _complaint(where: str, checked: Checked, tasks: str, sweep: ResolvedSweep) -> Problem:
    needed = _list((*sweep.config.accepted_risks, checked.risk))
    problem = f"{checked.words}, and the data of {tasks} are sensitive"
    return Problem(where, f"{checked.risk}", problem, f"{checked.fix}; {_ACCEPT}: {needed}")


def _list(risks: Sequence[Risk]) -> str:
    return f"[{', '.join(risks)}]"
