"""`frontier evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Catalogues, ExportedFolder, InspectStorage, Json


def evaluate(
    folder: ExportedFolder,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task of the model, or one like it.")],
    settings: Annotated[list[str] | None, typer.Argument(metavar="[data_dir=PATH]")] = None,
    catalogue: Catalogues = None,
    storage: InspectStorage = Path(STORAGE),
    as_json: Json = False,
) -> None:
    """Score an exported model on the test part of a task, beside what the sweep recorded.

    Example: frontier evaluate winner ncbi-disease data_dir=corpora
    """
    from orchestrator.cli.export.evaluate import evaluate as score_model
    from orchestrator.cli.export.evaluate import show_evaluation
    from orchestrator.cli.paths import cache_of
    from orchestrator.cli.terminal import Terminal, print_json

    answer = score_model(folder, task, settings or [], catalogue or [], cache_of(storage))
    if as_json:
        print_json(answer)
    else:
        show_evaluation(answer, Terminal())
