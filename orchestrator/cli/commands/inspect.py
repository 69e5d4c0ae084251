"""`frontier task inspect` and `frontier backbone inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Catalogues, InspectStorage, Json
from orchestrator.cli.verbs import Verbs

task_app = typer.Typer(cls=Verbs, help="Inspect a task's data.", no_args_is_help=True)
backbone_app = typer.Typer(cls=Verbs, help="Inspect a backbone with a method.", no_args_is_help=True)


@task_app.callback()
@backbone_app.callback()
def _group() -> None:
    """Keep `inspect` a word of its own."""


@task_app.command("inspect")
def inspect_task(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="A task of the catalogue: `frontier list tasks`.")
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[data_dir=PATH] [on_bad_record=skip]")
    ] = None,
    catalogue: Catalogues = None,
    storage: InspectStorage = Path(STORAGE),
    as_json: Json = False,
) -> None:
    """Show metric, labels, and what each split has. Reads every row, so it finds malformed ones.

    Only this command prints names of files inside a corpus, because they may be named after patients.

    Example: frontier task inspect ncbi-disease data_dir=corpora
    """
    from orchestrator.cli.catalogue.task import show_task

    show_task(task, settings or [], catalogue or [], storage, as_json)


@backbone_app.command("inspect")
def inspect_backbone(
    backbone: Annotated[
        str, typer.Argument(metavar="BACKBONE", help="A backbone of the catalogue: `frontier list models`.")
    ],
    method: Annotated[str, typer.Option(help="A method of the catalogue.")] = "full",
    labels: Annotated[int, typer.Option(min=1, help="The number of classes of the head.")] = 2,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the method, say rank=8.")
    ] = None,
    catalogue: Catalogues = None,
    storage: InspectStorage = Path(STORAGE),
    as_json: Json = False,
) -> None:
    """Show the parameters in total, trained, in adapters and in the head, and which modules adapters wrap.

    Example: frontier backbone inspect bert-base --method lora --set rank=8
    """
    from orchestrator.cli.catalogue.backbone import show_backbone

    show_backbone(backbone, method, labels, settings or [], catalogue or [], storage, as_json)
