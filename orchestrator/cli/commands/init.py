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


# What the data are.
_DataFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE|OWNER/NAME",
        help="CSV, JSON lines, Parquet, CoNLL, a folder of datasets.save_to_disk, or a data set of the "
        "hub (OWNER/NAME or OWNER/NAME@REVISION).",
    ),
]
_DevFile = Annotated[Path | None, typer.Option(help="The file with the dev part. Default: a fifth of FILE.")]
_TestFile = Annotated[
    Path | None, typer.Option(help="The file with the test part. Default: a fifth of FILE.")
]
_Separator = Annotated[
    str | None,
    typer.Option(parser=_separator, metavar=",|;|bar|tab", help="What separates the columns of a CSV."),
]
_Sensitive = Annotated[bool, typer.Option("--sensitive", help="Mark the task: its texts are of patients.")]

# What is predicted, from which columns.
_Kind = Annotated[
    str | None,
    typer.Option(
        metavar="classification|multilabel|ner|relation|regression",
        help="What is predicted. Default: recognised from the file.",
    ),
]
_Text = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the text.")]
_SecondText = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The column with a second text, for pairs of texts.")
]
_Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the label.")]
_Identity = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN|none", help="The column with the patient, or else the document."),
]
_NegativeLabel = Annotated[
    str | None, typer.Option(metavar="LABEL", help='For relations: the class that means "no relation".')
]
_Folds = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=MOST_FOLDS,
        help="Cross-validate: the number of folds, say 5. Each row is tested once per seed.",
    ),
]
_Unit = Annotated[
    str | None, typer.Option(metavar="WORD", help="The unit of the predicted number, say days.")
]
_Domain = Annotated[str | None, typer.Option(metavar="WORD", help="The kind of text, say clinical.")]

# What the sweep is to be.
_Within = Annotated[float | None, typer.Option(min=0, help="Good enough: at most this much below the best.")]
_AtLeast = Annotated[
    float | None, typer.Option(min=0, max=1, help="Good enough: at least this much of the metric.")
]
_Weights = Annotated[
    str | None,
    typer.Option(
        parser=_weights,
        metavar="here|hub",
        help="Use models of this machine only, or download others from the hub.",
    ),
]
_Models = Annotated[list[str] | None, typer.Option(help="A model of the catalogue; may be repeated.")]
_Name = Annotated[str | None, typer.Option(help="The name of the task and the sweep. Default: from FILE.")]
_Into = Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="Where to write. Default: ./NAME.")]
_Storage = Annotated[Path, typer.Option(help="Where results will be stored.")]


def init(
    file: _DataFile,
    dev: _DevFile = None,
    test: _TestFile = None,
    kind: _Kind = None,
    text: _Text = None,
    second_text: _SecondText = None,
    label: _Label = None,
    identity: _Identity = None,
    negative_label: _NegativeLabel = None,
    folds: _Folds = None,
    unit: _Unit = None,
    separator: _Separator = None,
    domain: _Domain = None,
    within: _Within = None,
    at_least: _AtLeast = None,
    weights: _Weights = None,
    model: _Models = None,
    sensitive: _Sensitive = False,
    name: _Name = None,
    into: _Into = None,
    catalogue: Catalogues = None,
    storage: _Storage = Path(STORAGE),
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
    source = None if weights is None else Weights(weights)
    wishes = write.Wishes(
        name, into, within, at_least, source, model or (), sensitive, storage, catalogue or ()
    )
    write.init(data_source(file, dev, test), flags, separator, wishes, Terminal())  # type: ignore[arg-type]
