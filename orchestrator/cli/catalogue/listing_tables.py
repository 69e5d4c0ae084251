"""The tables of `frontier list`: which keys of a row are shown, and how."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from orchestrator.cli.catalogue.listing import GENERATED, Row
from orchestrator.cli.terminal import plain_table
from orchestrator.units import amount, plain_number, short_count


@dataclass(frozen=True)
class Column:
    title: str
    text: Callable[[Row], str]
    is_number: bool = False
    folds: bool = False  # where the terminal is narrow
    is_wide: bool = False  # shown where the terminal has 100 columns


def _key(name: str, title: str = "", *, folds: bool = False) -> Column:
    return Column(title or name, lambda row: _words(row[name]), folds=folds)


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "unknown" if value is None else str(value)


def _dates(words: str) -> str:
    """Return the date in `words`, of several the first and the last."""
    dates = sorted(set(_DATE.findall(words)))
    return " to ".join([dates[0], *dates[1:][-1:]]) if dates else words


def _licence(row: Row) -> str:
    if row["licence"] is None and (row.get("invented") or row.get("weights") == GENERATED):
        return "none needed"
    return f"{row['licence'] or 'unknown'}{', gated' if row.get('gated') else ''}"


def _rates(row: Row) -> str:
    rates = [("", row["learning_rate"]), *row["learning_rate_by_family"].items()]
    return ", ".join(f"{plain_number(rate)} {family}".strip() for family, rate in rates if rate is not None)


def _settings(row: Row) -> str:
    return ", ".join(f"{key} {_words(value)}" for key, value in row["settings"].items()) or "none"


def _data(row: Row) -> str:
    return "invented" if row["invented"] else row["sensitivity"] or "unmarked"


def _needs(row: Row) -> str:
    if row["offline"] is None:
        return "data_dir"
    return "nothing" if row["offline"] else "download" if row["hub"] else "files"


def _hour(key: str) -> Callable[[Row], str]:
    return lambda row: "none" if row[key] is None else f"{amount(row[key])} {row['currency']}"


def _tflops(row: Row) -> str:
    return "unknown" if row["tflops"] is None else plain_number(row["tflops"])


_DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
_WIDE = 100  # columns of a terminal

COLUMNS: dict[str, tuple[Column, ...]] = {
    "models": (
        _key("model"),
        _key("domain"),
        Column("weights", lambda row: short_count(row["parameters"]), is_number=True),
        _key("family"),
        Column("licence", _licence, folds=True),
        Column("offline here", lambda row: "yes" if row["offline"] else row["needs"], folds=True),
        _key("weights", "come from", folds=True),
    ),
    "methods": (
        _key("method"),
        _key("kind"),
        Column("settings", _settings, folds=True),
        Column("learning rate", _rates, folds=True),
    ),
    "tasks": (
        _key("task"),
        _key("kind"),
        _key("metric"),
        Column("data", _data),
        Column("needs", _needs),
        Column("rows", lambda row: _count(row["train_examples"]), is_number=True),
        Column("licence", _licence, folds=True, is_wide=True),
    ),
    "metrics": (
        _key("metric"),
        _key("title", folds=True),
        _key("better"),
        _key("kinds", "kinds of task", folds=True),
        Column("usual for", lambda row: ", ".join(row["usual_for"])),
    ),
    "prices": (
        _key("prices"),
        Column("as of", lambda row: _dates(_words(row["as_of"]))),
        _key("usual_gpu", "usual GPU"),
        Column("GPU hour", _hour("gpu_hour"), is_number=True),
        Column("core hour", _hour("core_hour"), is_number=True),
        Column("GPUs", lambda row: str(len(row["devices"])), is_number=True),
    ),
    "devices": (
        _key("device"),
        _key("products", folds=True),
        Column("here", lambda row: "yes" if row["here"] else ""),
        Column("bf16", lambda row: "yes" if row["bf16"] else "no"),
        Column("GiB", lambda row: plain_number(row["memory_gib"]), is_number=True),
        Column("TFLOPS", _tflops, is_number=True),
    ),
}
_NOTES = {
    "models": "name them as `models` and `domains` of a sweep; `frontier stage CONFIG` downloads what is "
    "missing; `frontier backbone inspect` shows one in detail",
    "methods": "name them as `methods` of a sweep, with settings of your own: {name: lora, rank: [4, 8]}; "
    "`frontier capabilities` shows which architecture supports which",
    "tasks": "name them as `tasks` of a sweep; `frontier task inspect TASK` counts its data; rows are "
    "those of train; tasks with sensitive data train only if `frontier doctor --strict` finds no problem",
    "metrics": "name one as `metric` of a task",
    "prices": "name one as `prices` of a sweep, or a YAML file of your own",
    "devices": "name one as `resources: {device: NAME}` of a sweep",
}


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def show_rows(kind: str, rows: Sequence[Row], console: Console) -> None:
    """Print one table, then what the names are for."""
    table = plain_table()
    columns = [column for column in COLUMNS[kind] if console.width >= _WIDE or not column.is_wide]
    for column in columns:
        justify: Literal["right", "left"] = "right" if column.is_number else "left"
        table.add_column(column.title, justify=justify, no_wrap=not column.folds, overflow="fold")
    for row in rows:
        table.add_row(*(column.text(row) for column in columns))
    console.print(table)
    console.print(_NOTES[kind], highlight=False, style="dim")
