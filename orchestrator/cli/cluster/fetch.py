"""`frontier fetch`, and the records that a sweep in a cluster brings home at its end."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from orchestrator.cli.heartbeat import heartbeat
from orchestrator.cluster.fetch_job import fetch_job
from orchestrator.cluster.fetching import Received, fetch
from orchestrator.cluster.sweep_files import config_in
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import Copy, copy_in
from orchestrator.contracts.files import current_umask, write_atomically
from orchestrator.errors import LaunchError
from orchestrator.storage.remote import is_uri


def bring_home(sweeps: Sweeps, name: str, storage: Path, console: Console) -> Path:
    """Copy the records of the sweep of that id below `storage`, in the place of an earlier copy, and return
    their directory. Raises LaunchError where the cluster keeps no file of the sweep, or its records cannot be
    had; an earlier copy is then as it was."""
    job, config_map = sweeps.objects_of(name)
    config = config_in(config_map, name)
    if config is None:
        raise LaunchError(f"{name}: its ConfigMap is gone\n    -> {sweeps.submit_command}")
    written_to, sweep = str(config.get("storage", "")), job.sweep_name
    if is_uri(written_to):
        raise LaunchError(
            f"the records of {name} are in {written_to}, which needs no copy\n"
            f"    -> `frontier report {sweep} --storage {shlex.quote(written_to)}` reads them there"
        )
    mark = Copy(
        sweep=name,
        host=sweeps.cluster.host,
        namespace=sweeps.cluster.namespace,
        context=sweeps.cluster.context,
        fetched_at=time.time(),
    )
    there = _free_directory(storage, sweep, mark)
    storage.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{there.name}.fetched-", dir=storage))
    try:
        body = fetch_job(job.body, written_to, sweep)
        with _progress(console) as received:
            count = fetch(sweeps.cluster, body, draft, sweeps.say, received)
        write_atomically(draft / layout.COPY, mark.model_dump_json().encode())
        _exchange(draft, there)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sweeps.say(f"fetched {count:,} files into {there}")
    return there


@contextmanager
def _progress(console: Console) -> Iterator[Received]:
    """A bar on a terminal, else a line every ten seconds once bytes come."""
    got = [(0, 0)]

    def words(seconds: float) -> str:
        done, total = got[-1]
        return f"{done / 1e6:,.1f} of about {total / 1e6:,.1f} MB" if total else ""

    with (
        Progress(
            TextColumn("fetching the records"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bar,
        heartbeat(console, words, prefix="fetching the records: "),
    ):
        task = bar.add_task("", total=None)

        def received(done: int, total: int) -> None:
            got[0] = (done, total)
            bar.update(task, completed=done, total=total)

        yield received


def _free_directory(storage: Path, sweep: str, mark: Copy) -> Path:
    """Return the directory by the sweep's name, or by its id if something else has that name. Raises
    LaunchError if both are taken."""
    for there in (storage / sweep, storage / mark.sweep):
        earlier = copy_in(there)
        if not os.path.lexists(there) or (earlier is not None and earlier.is_of_the_same(mark)):
            return there
    raise LaunchError(
        f"{storage / sweep} and {storage / mark.sweep} exist, and neither is a copy of this sweep\n"
        "    -> move one of them away, or name another directory with --into"
    )


def _exchange(draft: Path, there: Path) -> None:
    """Put the draft in the place of an earlier copy, which stays where that fails."""
    os.chmod(draft, 0o777 & ~current_umask())
    if not there.exists():
        draft.rename(there)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{there.name}.old-", dir=there.parent))
    old = there.rename(aside / there.name)
    try:
        draft.rename(there)
    except OSError:
        old.rename(there)
        raise
    finally:
        shutil.rmtree(aside)
