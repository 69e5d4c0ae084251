"""Where things are: from the words of a command line to directories."""

from __future__ import annotations

import shlex
from pathlib import Path

from orchestrator.cli.cluster_options import NO_OPTIONS, ClusterOptions
from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.remote import Remote, is_uri
from orchestrator.tracking.ledger import Ledger

HOME = Path("sweeps")  # where sweeps are, unless --storage names another directory


def cache_of(storage: Path) -> Path:
    """Made weights and data, staged snapshots, digests of weights."""
    return storage / layout.CACHE


def mirror_of(remote: Remote, sweep: str) -> Mirror:
    return Mirror(remote.open(), remote.mirror() / sweep)


def storage_here(storage: str) -> Path:
    """Return the directory on this machine: the storage itself, or the mirror of the object store."""
    return Remote(storage).mirror() if is_uri(storage) else Path(storage)


def in_command(directory: Path) -> str:
    """Return what names a sweep in a command that is printed, ready for a shell: its name where the command
    looks for it, else its path."""
    found = directory.parent.resolve() == HOME.resolve()
    return shlex.quote(directory.name if found else str(directory))


def ledger_of(sweep: str, storage: str, where: ClusterOptions = NO_OPTIONS) -> Ledger:
    """Return the records of a sweep, by its name in `storage`, or by a path or URI of its own; those in an
    object store as they are there now. `where`: as `find_sweep` takes it. Raises ConfigError where there is
    none (`find_sweep`), StorageError."""
    if is_uri(sweep):
        uri, _, name = sweep.rstrip("/").rpartition("/")
    elif is_uri(storage):
        uri, name = storage, sweep
    else:
        return Ledger(find_sweep(sweep, Path(storage), where))
    mirror = mirror_of(Remote(uri), name)
    mirror.pull()
    if not (mirror.directory / layout.SWEEP).is_file():
        fix = "check name and prefix; a sweep appears there once it runs"
        raise ConfigError([Problem(uri, "", f"there is no sweep {name!r}", fix)])
    return Ledger(mirror.directory, mirror)


def find_sweep(sweep: str, storage: Path, where: ClusterOptions = NO_OPTIONS) -> Path:
    """Return the directory of a sweep, by its name below `storage` or by a path; a copy is found by the
    sweep's id as well. `where`: only copies from there, if it says anything. Raises InClusterError if only
    the cluster of the kubeconfig has it, ConfigError if it does not exist."""
    from orchestrator.cli.cluster.lookup import look_in_cluster

    for directory in (storage / sweep, Path(sweep)):
        if (directory / layout.SWEEP).is_file() and where.has(copy_in(directory)):
            return directory.resolve()
    for mark in sorted(storage.glob(f"[!.]*/{layout.COPY}")):
        copy = copy_in(mark.parent)
        if copy is not None and copy.sweep == sweep and where.has(copy):
            return mark.parent.resolve()
    names = [p.parent.name for p in storage.glob(f"*/{layout.SWEEP}") if where.has(copy_in(p.parent))]
    fix = did_you_mean(sweep, names) if names else "run a sweep first, or give --storage"
    in_cluster = look_in_cluster(sweep, str(storage), where)
    if not fix.endswith("?"):
        in_cluster = in_cluster or "; `frontier fetch` copies one from a cluster"
    fix = f"{fix.removesuffix('?')}{in_cluster}" if in_cluster else fix
    raise ConfigError([Problem(str(storage), "", f"there is no sweep {sweep!r}", fix)])
