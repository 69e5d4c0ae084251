"""The end of a sweep in a cluster: as `frontier run` ends, whatever of its storage is mounted here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from orchestrator.cli.cluster.fetch import bring_home
from orchestrator.cli.cluster.remote_records import RemoteRecords
from orchestrator.cli.cluster.verdict import tell_verdict
from orchestrator.cli.paths import HOME
from orchestrator.cli.results.report import build_and_write, show_report
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.follow import End
from orchestrator.cluster.ray_job import MOST_RECREATIONS, RayJob, Step
from orchestrator.cluster.sweep_files import config_in
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.cluster.watch import driver_verdict
from orchestrator.contracts.verdict import Verdict
from orchestrator.errors import ConfigError, LaunchError, LedgerError
from orchestrator.report import Report
from orchestrator.storage.remote import is_uri
from orchestrator.tracking.ledger import Ledger

_EXIT_CODES = {Step.SUCCEEDED: 0, Step.FAILED: 1, Step.REFUSED: 2, Step.STOPPED: 0}
Written = tuple[Report, Mapping[str, Path]]


def tell_end(
    end: End, name: str, records: RemoteRecords | None, sweeps: Sweeps, console: Console, bring: bool
) -> int:
    """Print how a sweep ended, with its report, and return the exit code.

    With `bring`, records that are out of reach are copied to this machine.
    """
    if end.step is Step.STOPPED:
        command = sweeps.cluster.command("resume", name)
        sweeps.say(f"{name} was stopped; its records stay, and {command} resumes from them")
        return _EXIT_CODES[end.step]
    if end.step is Step.GONE:
        return _tell_gone(name, records, sweeps, console, bring)
    done = end.job if end.step is Step.SUCCEEDED else None
    if end.job is not None and done is None:
        sweeps.say(f"{name} ended: {end.job}")
        if end.job.message:
            sweeps.say(end.job.message)
        sweeps.say(f"    -> {_fix(end, sweeps.cluster)}")
    written = _reported(name, records, sweeps, console, bring and done is not None)
    code = _EXIT_CODES[end.step]
    if done is not None:
        failed = None if written is None else len(written[0].failed)
        verdict = _verdict(sweeps.cluster, done, sweeps)
        code = tell_verdict(verdict, failed, sweeps.say)
        if verdict is not None and verdict.unpublished:
            why = verdict.unpublished.partition("\n")[0]
            command = sweeps.cluster.command("sync", name)
            sweeps.say(f"MLflow lacks runs: {why}\n    -> {command} writes them, in the cluster")
        if verdict is not None and verdict.unlogged:
            sweeps.say(f"MLflow lacks models: {verdict.unlogged}")
    if written is not None:
        show_report(*written, console)
    elif records is not None:
        sweeps.say(f"the report is in {records.report_path}; {_way_to(records, name, sweeps.cluster)}")
    return code


def _tell_gone(
    name: str, records: RemoteRecords | None, sweeps: Sweeps, console: Console, bring: bool
) -> int:
    """Report a sweep whose RayJob was deleted before its end was seen here."""
    sweeps.say(
        f"{name} is gone from namespace {sweeps.cluster.namespace}: its RayJob was deleted, or it ended and "
        "was cleared away; how it ended was not seen"
    )
    kept = sweeps.files.kept(name)
    has_file = kept is not None
    storage = "" if kept is None else str((config_in(kept[0], name) or {}).get("storage", ""))
    in_store = is_uri(storage) if records is None else records.in_store
    written = _reported(name, records, sweeps, console, bring and has_file and not in_store)
    location = "the storage of its pods" if records is None else records.report_path
    if written is not None:
        show_report(*written, console)
    elif in_store:
        resume = sweeps.cluster.command("resume", name)
        sweeps.say(
            f"its records stay in {storage or location}\n"
            f"    -> {resume} resumes from them; with access to that store "
            f"`frontier report SWEEP --storage {shlex.quote(storage or 'URI')}` shows them"
        )
    elif has_file:
        fetch, resume = (sweeps.cluster.command(verb, name) for verb in ("fetch", "resume"))
        sweeps.say(f"its records stay\n    -> {fetch} brings them here; {resume} resumes from them")
    else:
        sweeps.say(
            f"its file was deleted with it; its records stay, with the report in {location}\n"
            f"    -> {sweeps.submit_command}, which resumes from them"
        )
    return LaunchError.exit_code


def _reported(
    name: str, records: RemoteRecords | None, sweeps: Sweeps, console: Console, bring: bool
) -> Written | None:
    """Return the report on records that are in reach or that are to be fetched."""
    ledger = None if records is None else records.within_reach()
    if bring and ledger is None and not (records is not None and records.in_store):
        ledger = _brought(name, sweeps, console)
    return None if ledger is None else _written(ledger, sweeps)


def _way_to(records: RemoteRecords, name: str, cluster: Cluster) -> str:
    if records.in_store:
        return "with access to that store `frontier report SWEEP --storage URI` shows it"
    command = cluster.command("fetch", name)
    return f"{command} brings it here, and --storage PATH shows it where that storage is mounted"


def _brought(name: str, sweeps: Sweeps, console: Console) -> Ledger | None:
    try:
        return Ledger(bring_home(sweeps, name, HOME, console))
    except (LaunchError, ConfigError, OSError) as error:
        sweeps.say(f"the records could not be fetched: {str(error) or type(error).__name__}")
        return None


def _written(ledger: Ledger, sweeps: Sweeps) -> Written | None:
    try:
        return build_and_write(ledger)
    except (LedgerError, OSError) as error:  # mounted read-only, say
        sweeps.say(f"no report can be written here: {str(error) or type(error).__name__}")
        return None


def _verdict(cluster: Cluster, job: RayJob, sweeps: Sweeps) -> Verdict | None:
    try:
        return driver_verdict(cluster, job)
    except LaunchError as error:
        sweeps.say(f"the driver's log cannot be read: {error}")
        return None


def _fix(end: End, cluster: Cluster) -> str:
    assert end.job is not None
    if end.step is Step.REFUSED:
        return (
            "the driver refuses its input, as its log says (`kubectl logs` of the submitter), so it is not "
            "started again: correct the sweep, then submit it (just submit it if somebody stopped it in Ray)"
        )
    if end.job.recreations >= MOST_RECREATIONS:
        command = cluster.command("resume", end.job.name)
        return f"it was started again {MOST_RECREATIONS} times; {command} tries on from its records"
    if end.job.deployment == "ValidationFailed":
        return "KubeRay refuses the RayJob; `frontier doctor --manifests` says why"
    return f"{cluster.command('doctor')} looks at the cluster; the same submission continues from the records"
