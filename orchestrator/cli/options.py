"""The arguments and options that several commands share."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.cluster_options import NAMESPACE, VARIABLE
from orchestrator.errors import did_you_mean

STORAGE = "sweeps"  # the default of --storage
OVERLAY = "local-cpu"  # the default of --overlay


class LauncherName(StrEnum):
    RAY = "ray"
    LOCAL = "local"
    SIMULATED = "simulated"


def launcher_option(purpose: str) -> object:
    """Return the option of a launcher. typer's own parser of an enum words its refusal as pydantic does."""
    return typer.Option(parser=_launcher_named, metavar="|".join(LauncherName), help=purpose)


def _launcher_named(name: str) -> LauncherName:
    if name not in list(LauncherName):
        raise typer.BadParameter(
            f"unknown launcher, got {name!r}: {did_you_mean(name, map(str, LauncherName))}"
        )
    return LauncherName(name)


def _sweep_file(context: typer.Context, config: Path) -> Path:
    if context.resilient_parsing:  # a shell asks for completions
        return config
    from orchestrator.cli.sweep_files import sweep_file

    return sweep_file(config)


def _sweep_file_or_none(context: typer.Context, config: Path | None) -> Path | None:
    return None if config is None else _sweep_file(context, config)


def _complete_sweep_file(incomplete: str) -> list[str]:
    from orchestrator.cli.sweep_files import complete_sweep_file

    return complete_sweep_file(incomplete)


def complete_sweep(incomplete: str) -> list[str]:
    """Return what a shell offers for SWEEP."""
    from orchestrator.cli.sweep_files import complete_sweep

    return complete_sweep(incomplete)


RUN_SWEEP = "The name of a sweep that has run, or its directory or URI"
Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A sweep file, or the name of a shipped sweep, say demo.",
        callback=_sweep_file,
        autocompletion=_complete_sweep_file,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="With --strict: a sweep file, whose data and storage are checked.",
        callback=_sweep_file_or_none,
        autocompletion=_complete_sweep_file,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[AXIS=VALUE]...", help="Keys of the file to set, say seeds=[1,2] recipe.epochs=1."
    ),
]
Sweep = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        help=f"{RUN_SWEEP}.",
        autocompletion=complete_sweep,
    ),
]
SweepOrAll = Annotated[
    str | None,
    typer.Argument(
        metavar="[SWEEP]",
        help=f"{RUN_SWEEP}. Default: list the sweeps.",
        autocompletion=complete_sweep,
    ),
]
Storage = Annotated[str, typer.Option(help="Where sweeps are stored: a directory, or s3://bucket/prefix.")]
OwnStorage = Annotated[
    str | None,
    typer.Option("--storage", help="Where sweeps are stored, instead of `storage` of the file."),
]
Smoke = Annotated[
    bool, typer.Option("--smoke", help="Run the same grid on tiny untrained models and a few invented rows.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
InsecureCluster = Annotated[
    bool,
    typer.Option("--insecure-cluster", help="Join a cluster that asks for no token. The report mentions it."),
]

# Of `task inspect` and `backbone inspect`.
Catalogues = Annotated[list[Path] | None, typer.Option("--catalogue", help="A further catalogue directory.")]
InspectStorage = Annotated[Path, typer.Option(help="Where generated data and staged weights are kept.")]

# Of `predict` and `evaluate`.
ExportedFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `frontier export` wrote.")]

# Of the commands that use a cluster.
Context = Annotated[str | None, typer.Option(help="A context of the kubeconfig. Default: the current one.")]
Namespace = Annotated[str, typer.Option(envvar=VARIABLE, help="Where the sweeps run.")]
OverlayNamespace = Annotated[
    str | None, typer.Option("--namespace", envvar=VARIABLE, help="Instead of the overlay's namespace.")
]
SweepNamespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        help=f"Where the sweep runs, if not on this machine. Default: {VARIABLE}, or {NAMESPACE}.",
    ),
]
Overlay = Annotated[
    str, typer.Option(help="One of k8s/overlays, a kustomization's directory, or a rendered file.")
]
ClusterSweep = Annotated[str, typer.Argument(metavar="SWEEP", help="The sweep's id, or its name.")]
AnySweep = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        help="The sweep's name; in a cluster, its id as well.",
        autocompletion=complete_sweep,
    ),
]
AnyStorage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="PATH|URI",
        help=f"Where sweeps are stored (default: {STORAGE}), or where this machine sees the storage of pods.",
    ),
]
PodStorage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="PATH|URI",
        help="Where this machine sees the storage of the pods, if elsewhere.",
    ),
]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Stay until the sweep ends.")]
Fetch = Annotated[
    bool,
    typer.Option(
        "--fetch/--no-fetch", help="Copy records and report to ./sweeps at the end, if they are not here."
    ),
]


def with_storage(overrides: list[str] | None, storage: str | None) -> list[str]:
    """Return the overrides of a sweep file, with --storage as one more where it is given."""
    return [*(overrides or []), *([] if storage is None else [f"storage={json.dumps(storage)}"])]
