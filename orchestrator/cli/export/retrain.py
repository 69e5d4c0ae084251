"""Train one finished trial once more, because its weights were not kept: in a sweep of its own beside the
real one, whose records, costs and report stay as they are."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from orchestrator.cli.export.choice import Chosen
from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cli.operating_system import refuse_other_than_linux
from orchestrator.cli.paths import cache_of
from orchestrator.cli.strict.machine import check_machine
from orchestrator.cli.strict.surroundings import surroundings
from orchestrator.config.overrides import WHERE
from orchestrator.contracts import layout
from orchestrator.contracts.cores import usable_cores
from orchestrator.contracts.files import current_umask
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.contracts.ledger import AttemptRecord
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Sensitivity
from orchestrator.errors import ConfigError, InputError, Problem
from orchestrator.execution.launcher import LaunchEvent, TrialOrder, Workplace
from orchestrator.execution.local_launcher import LocalLauncher
from orchestrator.execution.retries import RetryPolicy
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import duration


def retrained(ledger: Ledger, chosen: Chosen) -> AttemptRecord | None:
    """Return the attempt that trained the trial again and finished, None if there is none."""
    attempt = _beside(ledger).trial(chosen.trial.planned).decisive
    if attempt is None or attempt.outcome is None or attempt.outcome.state != "finished":
        return None
    return attempt


def retrain(ledger: Ledger, chosen: Chosen, order: AttemptOrder, console: Console) -> AttemptRecord:
    """Train the trial on this machine, and keep all weights. The records are in NAME-retrained, which
    `frontier ledger` reads.

    Raises ConfigError where the task is sensitive and this machine has a risk that the sweep does not accept;
    InputError where the training fails; LaunchError where the records are a copy, devices are missing, or
    this is not Linux.
    """
    refuse_other_than_linux()
    ledger.refuse_copy()
    sweep = ledger.sweep()
    _refuse_risks(ledger, order, sweep.config.get("accepted_risks") or ())
    beside = _beside(ledger)
    before = beside.last_sweep()
    if before is not None and before.config.get("name") == beside.directory.name:
        problem = f"{beside.directory} is a sweep of its own, where the trial would be trained again"
        raise ConfigError([Problem(WHERE, "--retrain", problem, "rename that folder")])
    planned = chosen.trial.planned
    others = tuple(t for t in before.trials if t.name != planned.name) if before else ()
    place = Workplace(
        sweep_directory=beside.directory,
        cache_dir=cache_of(ledger.directory.parent),
        data_dir=None if order.data_dir is None else Path(order.data_dir),
        checkpoint_seconds=order.checkpoint_seconds,
        keep_weights="all",
        deterministic=order.deterministic,
        weights={order.trial.backbone.name: order.weights},
        umask=current_umask(),
    )
    gpus = [gpu.uuid for gpu in visible_gpus()] if order.resources.gpus else ()
    launcher = LocalLauncher(place, RetryPolicy(), cpus=usable_cores(), gpus=gpus, concurrency=1)
    console.print(f"training {chosen.trial.name} once more, to keep its weights", highlight=False)

    def words(seconds: float) -> str:
        return f"training; {duration(seconds)} so far"

    def ignore(event: LaunchEvent) -> None:
        """The records have what there is to know."""

    with beside.lock(), console.status("training"), heartbeat(console, words, prefix=""):
        record = {
            "name": beside.directory.name,
            "trials": (*others, planned),
            "candidates": (),
            "refused": (),
        }
        beside.write_sweep(sweep.model_copy(update=record))
        launcher.run([TrialOrder(order.trial, order.resources)], ignore)
    attempt = beside.trial(planned).decisive
    if attempt is None or attempt.outcome is None or attempt.outcome.failure is not None:
        failure = attempt.outcome.failure if attempt is not None and attempt.outcome is not None else None
        why = f"{failure.kind}: {failure.message}" if failure is not None else "it was interrupted"
        raise InputError(
            f"{chosen.trial.name}: training it once more failed: {why}\n    -> see {beside.directory}"
        )
    _compare(chosen, attempt, console)
    return attempt


def _beside(ledger: Ledger) -> Ledger:
    """Return the records of the trials of a sweep that were trained once more."""
    return Ledger(ledger.directory.with_name(f"{ledger.directory.name}{layout.RETRAINED}"))


def _compare(chosen: Chosen, attempt: AttemptRecord, console: Console) -> None:
    assert attempt.outcome is not None
    if attempt.outcome.test == chosen.outcome.test:
        console.print("its scores are those of the sweep, to the last bit", highlight=False)
        return
    metric = chosen.outcome.metric
    own, other = attempt.outcome.test[metric].value, chosen.outcome.test[metric].value
    console.print(
        f"its {metric} is {own}, and {other} in the sweep: the device, the versions or the worker's code are "
        "others; the card says which scores are the exported model's",
        style="yellow",
        highlight=False,
    )


def _refuse_risks(ledger: Ledger, order: AttemptOrder, accepted: object) -> None:
    """Check this machine as `frontier run` does where the data of the task are sensitive."""
    task = order.trial.task
    if task.data is not Sensitivity.SENSITIVE or task.invented:
        return
    data_dir = None if order.data_dir is None else Path(order.data_dir)
    here = surroundings(ledger.directory.parent, data_dir=data_dir, remote=None, address=None, insecure=False)
    names = set(accepted) if isinstance(accepted, list | tuple) else set()
    refused = [c for c in check_machine(here) if c.is_problem and c.risk not in names]
    if refused:
        what = f"the data of {task.name} are sensitive"
        raise ConfigError(
            [Problem("this machine", f"{c.risk}", f"{c.words}, and {what}", str(c.fix)) for c in refused]
        )
