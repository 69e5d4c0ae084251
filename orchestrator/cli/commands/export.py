"""`frontier export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Json, Storage, Sweep, SweepNamespace


def export(
    sweep: Sweep,
    out: Annotated[Path, typer.Option(help="The folder to write. It must not exist.")],
    cell: Annotated[
        str | None,
        typer.Argument(
            metavar="[CELL]",
            help="A cell, with or without its task, or a task. Default: the recommended cell.",
        ),
    ] = None,
    at_budget: Annotated[
        float | None,
        typer.Option(
            metavar="HOURS", help="Export the best choice for this many device-hours per training run."
        ),
    ] = None,
    seed: Annotated[
        str,
        typer.Option(
            metavar="N|best|median", help="A seed, or the one with the best or the median score on dev."
        ),
    ] = "best",
    merge: Annotated[bool, typer.Option("--merge", help="Merge the adapter into its base model.")] = False,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Train the trial once more if its weights were not kept, and keep them."
        ),
    ] = False,
    storage: Storage = STORAGE,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Json = False,
) -> None:
    """Write a trained model to a folder that loads without Frontier, with a model card.

    Example: frontier export demo --out winner
    """
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.export.write import export_model
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.terminal import Terminal, print_json

    ledger = ledger_of(sweep, storage, ClusterOptions(namespace, context))
    console = Terminal(stderr=as_json)
    exported = export_model(
        ledger, cell, out, console, budget=at_budget, seed=seed, merge=merge, again=retrain
    )
    if as_json:
        print_json({"folder": str(out), **exported.model_dump(mode="json")})
