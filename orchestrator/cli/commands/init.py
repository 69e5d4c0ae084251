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
    dev: Annotated[
        Path | None, typer.Option(help="The file with the dev part. Default: a fifth of FILE.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="The file with the test part. Default: a fifth of FILE.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="classification|multilabel|ner|relation|regression",
            help="What is predicted. Default: recognised from the file.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the text.")] = None,
    second_text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column with a second text, for pairs of texts.")
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the label.")] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="COLUMN|none", help="The column with the patient, or else the document."
        ),
    ] = None,
    negative_label: Annotated[
        str | None, typer.Option(metavar="LABEL", help='For relations: the class that means "no relation".')
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=MOST_FOLDS,
            help="Cross-validate: the number of folds, say 5. Each row is tested once per seed.",
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="WORD", help="The unit of the predicted number, say days.")
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(parser=_separator, metavar=",|;|bar|tab", help="What separates the columns of a CSV."),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(metavar="WORD", help="The kind of text, say clinical.")
    ] = None,
    within: Annotated[
        float | None, typer.Option(min=0, help="Good enough: at most this much below the best.")
    ] = None,
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Good enough: at least this much of the metric.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            parser=_weights,
            metavar="here|hub",
            help="Use models of this machine only, or download others from the hub.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model of the catalogue; may be repeated.")
    ] = None,
    sensitive: Annotated[
        bool, typer.Option("--sensitive", help="Mark the task: its texts are of patients.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="The name of the task and the sweep. Default: from FILE.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Where to write. Default: ./NAME.")
    ] = None,
    catalogue: Catalogues = None,
    storage: Annotated[Path, typer.Option(help="Where results will be stored.")] = Path(STORAGE),
) -> None:
    """Write a task and a sweep for a data file of yours: from a CSV to the first plan.

    A worker process looks at the file and shows counts, never text. If the file leaves something open, the
    command asks; without a terminal it names the option. Nothing is overwritten. From a data set of the hub,
    only the Parquet files are fetched, and their commit is pinned.

    Example: frontier init letters.csv
    """
    from orchestrator.cli.init import write
    from orchestrator.cli.init.models import Weights
    from orchestrator.cli.init.source import data_source
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
    write.init(data_source(file, dev, test), flags, separator, wishes, Terminal())  # type: ignore[arg-type]
