"""`frontier logs`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Json, Storage, Sweep, SweepNamespace


def logs(
    sweep: Sweep,
    cell: Annotated[
        str, typer.Argument(metavar="CELL", help="A cell model/domain/method/task, or one trial of it.")
    ],
    storage: Storage = STORAGE,
    every_step: Annotated[
        bool, typer.Option("--steps", help="Show every logged training step, not only the last ones.")
    ] = False,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Json = False,
) -> None:
    """Show what each attempt of a cell did and when: phases, losses, scores on dev, checkpoints, failures.

    Events hold numbers and fixed words, never text of the data.

    Example: frontier logs demo demo-tiny/clinical/full/demo-ner
    """
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.logs import logs_json, show_logs, trials_of
    from orchestrator.cli.terminal import Terminal, print_json

    records = trials_of(ledger_of(sweep, storage, ClusterOptions(namespace, context)), cell)
    if as_json:
        print_json(logs_json(records))
    else:
        show_logs(records, every_step, Terminal())
