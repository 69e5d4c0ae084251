"""`frontier predict`: texts in, a file of answers out; the worker reads the one and writes the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from orchestrator.cli.export.folder import read_exported
from orchestrator.cli.worker_calls import ask
from orchestrator.config.overrides import WHERE
from orchestrator.contracts.exported import Exported, PredictRequest
from orchestrator.contracts.readers import ArrowReader, TableReader
from orchestrator.errors import ConfigError, Problem
from orchestrator.units import quantity

_FORMATS: dict[str, Literal["csv", "jsonl", "text"]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
}
_PACKED = ".gz"
_ANSWERS = (".csv", ".jsonl")


def predict(
    folder: Path,
    file: Path,
    out: Path | None,
    text: str | None,
    second_text: str | None,
    cache: Path,
    console: Console,
) -> Path:
    """Write the answers to `out`, by default beside `file`, and return it. It must not exist.

    Raises ConfigError with all wrong words, InputError where the worker refuses the file.
    """
    out = out or file.with_name(f"{_stem(file)}.predictions.jsonl")
    exported = read_exported(folder)
    if problems := list(_problems(exported, file, out, second_text)):
        raise ConfigError(problems)
    columns = _columns(exported)
    request = PredictRequest(
        folder=str(folder.resolve()),
        exported=exported,
        cache_dir=str(cache.resolve()),
        input=str(file.resolve()),
        format=_FORMATS.get(_ending(file), "text"),
        text=text or columns[0],
        second_text=(second_text or columns[1]) if exported.use.paired else None,
        out=str(out.resolve()),
    )
    count = _followed(request, console)
    where = "this account alone may read it"
    console.print(f"answered {quantity(count, 'text')}: {out} ({where})", highlight=False, soft_wrap=True)
    return out


def _followed(request: PredictRequest, console: Console) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    count = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        texts = bar.add_task("texts", total=None)
        for line in ask("workers.exported", request, "predict"):
            count = line["of"]
            bar.update(texts, completed=line["done"], total=count)
    return count


def _problems(exported: Exported, file: Path, out: Path, second_text: str | None) -> Iterator[Problem]:
    if not file.exists():
        yield Problem(str(file), "", "there is no such file", "correct the path")
    elif not file.is_dir() and _ending(file) not in _FORMATS:
        fix = "name a file that ends in .csv, .jsonl or .txt, or a folder of .txt files"
        yield Problem(str(file), "", f"unknown kind of file, got {file.suffix or 'no ending'!r}", fix)
    if exported.use.paired and (file.is_dir() or _FORMATS.get(_ending(file)) == "text"):
        fix = "give a CSV or JSON-lines file with two columns"
        yield Problem(str(file), "", "the model takes pairs of texts, and a text file has one", fix)
    if out.suffix not in _ANSWERS:
        yield Problem(WHERE, "--out", f"unknown kind of file, got {str(out)!r}", "end it in .jsonl or .csv")
    elif out.exists():
        yield Problem(WHERE, "--out", f"{out} exists already", "remove it, or give another file")
    elif not out.parent.is_dir():
        yield Problem(WHERE, "--out", f"there is no folder {out.parent}", "make it, or give another file")
    if second_text is not None and not exported.use.paired:
        yield Problem(WHERE, "--second-text", "the model takes one text", "remove --second-text")


def _ending(file: Path) -> str:
    plain = file.with_suffix("") if file.suffix.lower() == _PACKED else file
    return plain.suffix.lower()


def _stem(file: Path) -> str:
    """Return the name without its ending, and without `.gz`."""
    return file.name if file.is_dir() else file.name.removesuffix(_PACKED).rpartition(".")[0] or file.name


def _columns(exported: Exported) -> tuple[str, str]:
    """Return the columns of the task's own files, where it has any."""
    reader = exported.task.reader
    if isinstance(reader, TableReader | ArrowReader):
        return reader.text, reader.second_text or "second_text"
    return "text", "second_text"
