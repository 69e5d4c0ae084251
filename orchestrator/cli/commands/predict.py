"""`frontier predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, ExportedFolder, InspectStorage


def predict(
    folder: ExportedFolder,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV, JSON-lines or .txt file, or a folder of .txt files."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A new .jsonl or .csv file. Default: FILE.predictions.jsonl beside FILE."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column with the text. Default: the task's own.")
    ] = None,
    second_text: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column with the second text, for models of pairs."),
    ] = None,
    storage: InspectStorage = Path(STORAGE),
) -> None:
    """Predict labels with probabilities, entities with offsets, or numbers, with an exported model.

    Texts are copied nowhere. Only this account may read the answers.

    Example: frontier predict winner letters.csv --out answers.jsonl
    """
    from orchestrator.cli.export.predict import predict as answer_texts
    from orchestrator.cli.paths import cache_of
    from orchestrator.cli.terminal import Terminal

    answer_texts(folder, file, out, text, second_text, cache_of(storage), Terminal())
