"""Sweep files by name: in the working directory, else among those that come with the project."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from orchestrator.cli.paths import HOME
from orchestrator.contracts import layout
from orchestrator.errors import ConfigError, Problem

SWEEP_FILE = "sweep.yaml"  # of a folder that `frontier init` writes
_SUFFIXES = (".yaml", ".yml")


def shipped_sweeps() -> dict[str, Path]:
    """Return the sweep files that come with the project, by name."""
    from orchestrator.config.catalogue import builtin_catalogue

    return {path.stem: path for path in sorted((builtin_catalogue() / "sweeps").glob("*.yaml"))}


def sweep_file(config: Path) -> Path:
    """Return the sweep file that `config` names: a path, with or without .yaml, a folder that `frontier init`
    wrote, or the name of a shipped sweep. A file of the working directory comes first.

    Raises ConfigError for a name that fits none of them, and for a data file. A path to no file is left to
    its reader.
    """
    named = (config.with_name(config.name + suffix) for suffix in _SUFFIXES if config.name)
    for path in (config, *named, config / SWEEP_FILE):
        if path.is_file():
            _refuse_data(path)
            return path
    if len(config.parts) != 1 or config.suffix in _SUFFIXES:
        return config
    shipped = shipped_sweeps()
    if config.name not in shipped:
        raise ConfigError([_unknown(config.name, list(shipped))])
    path, here = shipped[config.name], Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _refuse_data(path: Path) -> None:
    from orchestrator.cli.init.source import DATA_SUFFIXES

    if path.suffix.lower() in DATA_SUFFIXES - {".json"}:  # JSON is YAML
        problem, fix = (
            "expected a sweep file, got a data file",
            f"write one: frontier init {shlex.quote(str(path))}",
        )
        raise ConfigError([Problem(str(path), "", problem, fix)])


def _unknown(name: str, shipped: list[str]) -> Problem:
    here = sorted(path.name for suffix in _SUFFIXES for path in Path.cwd().glob(f"*{suffix}"))
    close = difflib.get_close_matches(name, [*shipped, *(Path(file).stem for file in here)], n=1)
    fix = [f"did you mean {close[0]!r}?"] if close else []
    fix += [f"use a path, or one of the shipped sweeps: {', '.join(shipped)}"]
    if here:
        fix.append(f"YAML files here: {', '.join(here)}")
    if (HOME / name / layout.SWEEP).is_file():
        fix.append(
            f"{HOME / name} holds its results (`frontier status {shlex.quote(name)}`), and not the file it "
            "ran from"
        )
    return Problem(name, "", "there is no sweep file of this name", "\n       ".join(fix))


def complete_sweep_file(incomplete: str) -> list[str]:
    """Return what a shell offers for CONFIG: shipped sweeps, and the YAML files of the folder typed."""
    folder, _, start = incomplete.rpartition("/")
    files = [
        f"{folder}/{path.name}" if folder else path.name
        for path in sorted(Path(folder or ("/" if incomplete.startswith("/") else ".")).glob(f"{start}*"))
        if path.suffix in _SUFFIXES
    ]
    return [name for name in (*([] if folder else shipped_sweeps()), *files) if name.startswith(incomplete)]


def complete_sweep(incomplete: str) -> list[str]:
    """Return what a shell offers for SWEEP: the sweeps of this folder that have run."""
    names = sorted(path.parent.name for path in HOME.glob(f"*/{layout.SWEEP}"))
    return [name for name in names if name.startswith(incomplete)]
