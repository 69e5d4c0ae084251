"""Tables of published results: a CSV of numbers, and what is known of how they were made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.report.scores.table import parse_number, read_score_rows

# Figures that a table may hold beside metrics. They depend on the authors' machine and are never compared.
COSTS = ("wall_seconds", "seconds_to_best", "run_seconds", "total_flops")
STATISTICS = ("mean", "median", "max", "best-of-repeats", "single")

_REQUIRED = ("model", "domain", "method", "task", "metric", "value")


class PublishedNumber(Record):
    """A row of a table of published results. Names are those of our catalogue; empty fields are unknown."""

    source_table: str
    model: str
    domain: str
    method: str  # the kind of its settings: full, lora, ia3 …
    task: str
    metric: str  # a MetricName, or a cost that is listed and never compared
    statistic: str  # median, max, mean, best-of-repeats, single
    value: float
    sd: float | None = None
    n: int | None = None  # runs behind it
    split: str = "test"
    note: str = ""


_COLUMNS = tuple(PublishedNumber.model_fields)


class ProtocolDifference(Record):
    """One thing that the publication did otherwise, in two sentences."""

    topic: str
    theirs: str
    ours: str


class PublishedTable(Record):
    """One table of the publication. Our cells beside it are those that train by epochs, those
    whose budget is `train_seconds` of their model, or both. A model with `train_seconds` has that budget in a
    table of epochs as well."""

    title: str
    budget: Literal["epochs", "train_seconds", "any"] = "epochs"
    train_seconds: dict[str, float] = Field(default_factory=dict)  # by model


class PublishedSetup(Record):
    """What one model was run with, where it differs from the rest of a publication."""

    settings: dict[str, dict[str, object]] = Field(default_factory=dict)  # by method, as those of the sheet
    recipe: dict[str, object] = Field(default_factory=dict)


class PublicationSheet(Record):
    """The YAML beside a table of results: what differs, and which settings a method had."""

    title: str
    citation: str | None = None
    source: str | None = None
    protocol: tuple[ProtocolDifference, ...] = ()
    settings: dict[str, dict[str, object]] = Field(default_factory=dict)  # method -> settings that must agree
    recipe: dict[str, object] = Field(default_factory=dict)  # theirs; where ours differs, the row says so
    models: dict[str, PublishedSetup] = Field(
        default_factory=dict
    )  # what goes before the two for some models
    tables: dict[str, PublishedTable] = Field(default_factory=dict)  # by source_table

    def settings_of(self, model: str, method: str) -> dict[str, object]:
        own = self.models.get(model, PublishedSetup()).settings
        return own.get(method, self.settings.get(method, {}))

    def recipe_of(self, model: str) -> dict[str, object]:
        return self.recipe | self.models.get(model, PublishedSetup()).recipe


class Published(Record):
    """What a sweep is held against."""

    sheet: PublicationSheet
    numbers: tuple[PublishedNumber, ...]


def read_published(path: Path, sheet: PublicationSheet | None = None) -> Published:
    """Read a table with the columns model, domain, method, task, metric and value, and any of source_table,
    statistic, sd, n, split and note. Raises ConfigError with every mistake."""
    rows, problems = read_score_rows(path, _REQUIRED)
    numbers = []
    for line, row in rows:
        unknown = [name for name in row if name not in _COLUMNS]
        if unknown and line == rows[0][0]:
            problems += [_complaint(path, 1, name, "unknown column", name, _COLUMNS) for name in unknown]
        faults = list(_faults(path, line, row))
        problems += faults
        if not faults and not unknown:
            filled = {key: value for key, value in row.items() if value}
            numbers.append(PublishedNumber.model_validate({**_DEFAULTS, **filled}))
    if not rows and not problems:
        problems.append(Problem(str(path), "", "has no numbers", "add one row per number"))
    if problems:
        raise ConfigError(problems)
    return Published(sheet=sheet or PublicationSheet(title=path.stem), numbers=tuple(numbers))


_DEFAULTS = {"source_table": "", "statistic": "mean"}


def _faults(path: Path, line: int, row: dict[str, str]) -> Iterator[Problem]:
    for key in _REQUIRED:
        if not row[key]:
            yield Problem(str(path), f"line {line}, {key}", "is empty", "fill it in, or drop the row")
    for key in ("value", "sd", "n"):
        if row.get(key) and parse_number(row[key]) is None:
            problem = f"is not a number, got {row[key]!r}"
            yield Problem(str(path), f"line {line}, {key}", problem, "write it as digits, say 0.812")
    closed = {"metric": (*METRICS, *COSTS), "statistic": STATISTICS, "split": tuple(Split)}
    for key, allowed in closed.items():
        if row.get(key) and row[key] not in allowed:
            yield _complaint(path, line, key, f"unknown {key}", row[key], allowed)
    if not any(row.get(key) for key in ("sd", "n")):
        return
    try:
        given = {key: row[key] for key in ("sd", "n") if row.get(key)}
        _Spread.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            key = str(fault["loc"][0])
            if parse_number(row[key]) is not None:
                fix = "sd is 0 or more, n a whole number from 1"
                yield Problem(str(path), f"line {line}, {key}", f"cannot be {row[key]}", fix)


class _Spread(Record):
    sd: float | None = Field(None, ge=0)
    n: int | None = Field(None, ge=1)


def _complaint(path: Path, line: int, key: str, what: str, got: str, allowed: tuple[str, ...]) -> Problem:
    return Problem(
        str(path), f"line {line}, {key}", f"{what}, got {got!r}", did_you_mean(got, map(str, allowed))
    )


def is_cost(name: str) -> bool:
    return name not in list(MetricName)
