"""`frontier clean`: what of a sweep can be deleted without changing its report, and its size."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from orchestrator.cli.terminal import plain_table
from orchestrator.contracts import layout
from orchestrator.execution.clock import SystemClock
from orchestrator.planning.probes import are_probes
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.leftovers import Leftover, LeftoverKind, leftovers, remove, size_on_disk
from orchestrator.units import byte_size, quantity


@dataclass(frozen=True)
class Cleaning:
    """What of a sweep can go. `kept`: what stays and why, a sentence each."""

    folders: Sequence[Leftover]
    probes: Ledger | None
    kept: Sequence[str]

    @property
    def size(self) -> int:
        return sum(folder.size for folder in self.folders)


def find_removable(ledger: Ledger) -> Cleaning:
    """Return what can go. Changes nothing."""
    cleaning = _look(ledger)
    driver = ledger.driver()
    if driver is None:
        return cleaning
    busy = f"{driver} runs this sweep: nothing can be deleted before it ends"
    return replace(cleaning, kept=[busy, *cleaning.kept])


def delete(ledger: Ledger) -> Cleaning:
    """Delete what can go, while no driver can start, and return what went. Raises HeldError where a driver
    runs the sweep, LaunchError where the records are a copy."""
    with ledger.lock():
        cleaning = _look(ledger)
        remove(ledger, [folder for folder in cleaning.folders if folder.kind is not LeftoverKind.PROBES])
        if cleaning.probes is not None:
            _delete_probes(cleaning.probes)
    return cleaning


def _look(ledger: Ledger) -> Cleaning:
    folders = leftovers(ledger, SystemClock().now())
    probes = Ledger(ledger.directory.with_name(f"{ledger.directory.name}{layout.PROBES}"))
    if (
        ledger.mirror is not None
        or not probes.directory.is_dir()
        or ledger.directory.name.endswith(layout.PROBES)
    ):
        return Cleaning(folders, None, [])
    if not are_probes(probes.sweep()):
        return Cleaning(folders, None, [f"{probes.directory.name} stays: it is a sweep, and holds no probes"])
    if ledger.sweep().standalone:
        reason = f"{probes.directory.name} stays: costs in the report come from its calibrations"
        return Cleaning(folders, None, [reason])
    if driver := probes.driver():
        return Cleaning(folders, None, [f"{probes.directory.name} stays: {driver} runs it"])
    size = size_on_disk(probes.directory)
    return Cleaning([*folders, Leftover(LeftoverKind.PROBES, probes.directory, size)], probes, [])


def _delete_probes(probes: Ledger) -> None:
    with probes.lock():
        for path in probes.directory.iterdir():
            if path.name != layout.LEASE:  # it is held
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(probes.directory)


def cleaning_json(ledger: Ledger, cleaning: Cleaning, deleted: bool) -> dict[str, object]:
    """Stable keys: sweep, bytes, deleted, folders [{kind, path, bytes}], kept."""
    return {
        "sweep": ledger.directory.name,
        "bytes": cleaning.size,
        "deleted": deleted,
        "folders": [
            {"kind": folder.kind.name.lower(), "path": str(folder.path), "bytes": folder.size}
            for folder in cleaning.folders
        ],
        "kept": list(cleaning.kept),
    }


def show_cleaning(ledger: Ledger, cleaning: Cleaning, deleted: bool, console: Console) -> None:
    """Print what can go or went, by kind, and what stays."""
    name = ledger.directory.name
    table = plain_table("", numbers=("folders", "size"))
    for kind in LeftoverKind:
        sizes = [folder.size for folder in cleaning.folders if folder.kind is kind]
        if sizes:
            table.add_row(kind.value, str(len(sizes)), byte_size(sum(sizes)))
    if cleaning.folders:
        console.print(table)
    for reason in cleaning.kept:
        console.print(reason, style="yellow", highlight=False)
    folders = quantity(len(cleaning.folders), "folder")
    if not cleaning.folders:
        console.print(f"{name}: nothing can be deleted", highlight=False)
    elif deleted:
        console.print(f"{name}: {byte_size(cleaning.size)} deleted, in {folders}", highlight=False)
    else:
        console.print(
            f"{name}: {byte_size(cleaning.size)} can be deleted, in {folders}; --yes deletes them. "
            "Records and the weights of results stay: the report will be the same.",
            highlight=False,
        )
