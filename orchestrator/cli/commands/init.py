"""`frontier init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Catalogues
from orchestrator.contracts.vocabulary import MOST_FOLDS
from orchestrator.errors import did_you_mean

_SEPARATORS = (",", ";", "|", "tab")


def _weights(value: str) -> str:
    if value not in ("here", "hub"):
        raise typer.BadParameter(f"expected here or hub, got {value!r}")
    return value


def _separator(value: str) -> str:
    if value not in _SEPARATORS:
        raise typer.BadParameter(f"unknown separator, got {value!r}: {did_you_mean(value, _SEPARATORS)}")
    return value


def init(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|OWNER/NAME",
            help="CSV, JSON lines, Parquet, CoNLL, a folder of datasets.save_to_disk, or a data set of the "
            "hub (OWNER/NAME or OWNER/NAME@REVISION).",
        ),
    ],
    dev: Annotated[Path | None, typer.Option(help="The file of dev. Default: a fifth of FILE.")] = None,
    test: Annotated[Path | None, typer.Option(help="The file of test. Default: a fifth of FILE.")] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="classification|multilabel|ner|relation|regression")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of the text.")] = None,
    second_text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A second text, for pairs of sentences.")
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of the label.")] = None,
    identity: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN|none", help="The column of the patient, or else the document."),
    ] = None,
    negative_label: Annotated[
        str | None, typer.Option(metavar="LABEL", help='Of relations: the class for "no relation".')
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, max=MOST_FOLDS, help="Test each row by cross-validation: trainings per seed, say 5."
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="WORD", help="Of the number that is predicted, say days.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(parser=_separator, metavar=",|;|bar|tab", help="Of CSV columns.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="WORD", help="What the texts are, say clinical.")
    ] = None,
    within: Annotated[
        float | None, typer.Option(min=0, help="Good enough: at most this much below the best.")
    ] = None,
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Good enough: at least this much of the metric.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(parser=_weights, metavar="here|hub", help="Where weights may come from."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model of the catalogue; may be repeated.")
    ] = None,
    sensitive: Annotated[
        bool, typer.Option("--sensitive", help="These are texts of patients: mark the task.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Of the task and the sweep. Default: from FILE.")] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Where to write. Default: ./NAME.")
    ] = None,
    catalogue: Catalogues = None,
    storage: Annotated[Path, typer.Option(help="Where results will be stored.")] = Path(STORAGE),
) -> None:
    """Write a task and a sweep for a data file of yours: from a CSV to the first plan.

    A worker process looks at the file; counts are shown, never text. What the file does not say is asked on
    a terminal, or has a flag. Nothing is overwritten. A data set of the hub is fetched, its Parquet files
    alone, and named by its commit.

    Example: frontier init letters.csv
    """
    from orchestrator.cli.init import write
    from orchestrator.cli.init.models import Weights
    from orchestrator.cli.init.source import source_of
    from orchestrator.cli.init.study import Flags
    from orchestrator.cli.terminal import Terminal

    flags = Flags(kind, text, second_text, label, identity, negative_label, domain, unit, folds)
    wishes = write.Wishes(
        name,
        into,
        within,
        at_least,
        None if weights is None else Weights(weights),
        model or (),
        sensitive,
        storage,
        catalogue or (),
    )
    write.init(source_of(file, dev, test), flags, separator, wishes, Terminal())  # type: ignore[arg-type]
