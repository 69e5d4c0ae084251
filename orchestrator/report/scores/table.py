"""Points for a score from a CSV table, with every mistake in it at once."""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.contracts.sameness import text_key
from orchestrator.contracts.separators import CHARACTERS, declared_separator, other_separator, spaced
from orchestrator.errors import ConfigError, Problem
from orchestrator.report.scores.efficiency import COLUMNS, Preset
from orchestrator.report.scores.set_dependence import ScorePoint
from orchestrator.text_files import read_text

Rows = list[tuple[int, dict[str, str]]]  # line in the file, values by column


def read_score_points(path: Path, preset: Preset) -> list[ScorePoint]:
    """The columns `name` and those of the preset; others are left alone. Raises ConfigError, all faults."""
    columns = COLUMNS[preset]
    rows, problems = read_score_rows(path, ("name", *columns))
    points = []
    seen: dict[str, int] = {}
    for line, row in rows:
        faults = [*_name_faults(row["name"], line, seen), *_figure_faults(row, columns, line)]
        problems += [Problem(str(path), key, problem, fix) for key, problem, fix in faults]
        if not faults:
            points.append(
                ScorePoint(name=row["name"], values={column: float(row[column]) for column in columns})
            )
    if not rows and not problems:
        problems.append(Problem(str(path), "", "has no points", "add one row per point"))
    if problems:
        raise ConfigError(problems)
    return points


def read_score_rows(path: Path, required: Sequence[str]) -> tuple[Rows, list[Problem]]:
    """Rows of a CSV with a head, stripped of blanks. Without rows where a required column is missing."""
    try:
        text = read_text(path)
    except ConfigError as error:
        return [], list(error.problems)
    try:
        return _rows(text, str(path), required)
    except csv.Error as error:  # of a field beyond 131,072 characters, too
        fix = "write it as comma-separated values, quoted with double quotes"
        return [], [Problem(str(path), "", f"cannot be read as CSV ({error})", fix)]


def _rows(text: str, where: str, required: Sequence[str]) -> tuple[Rows, list[Problem]]:
    above, separator, header = _separator(text, required)
    lines = itertools.islice(io.StringIO(text, newline=""), above, None)
    blanks = spaced(header, separator)
    reader = csv.reader(lines, strict=True, delimiter=separator, skipinitialspace=blanks)
    head = [text_key(name) for name in next(reader, [])]
    problems = [
        Problem(where, f"line {above + 1}", f"the column {name!r} is missing", _rename(name, head, required))
        for name in required
        if name not in head
    ]
    for name in sorted({name for name in head if name and head.count(name) > 1}):
        problems.append(
            Problem(where, f"line {above + 1}", f"the column {name!r} is listed twice", "remove one of them")
        )
    if problems:
        return [], problems
    rows = []
    for values in reader:
        line = above + reader.line_num
        if not any(value.strip() for value in values):
            continue
        if [text_key(value).casefold() for value in values] == [name.casefold() for name in head]:
            problems.append(Problem(where, f"line {line}", "repeats the header", "remove the line"))
            continue
        if len(values) != len(head):
            problem = f"has {len(values)} values, and the head has {len(head)} columns"
            problems.append(Problem(where, f"line {line}", problem, "give each column one value"))
            continue
        rows.append((line, dict(zip(head, (value.strip() for value in values), strict=True))))
    return rows, problems


def _separator(text: str, required: Sequence[str]) -> tuple[int, str, str]:
    """(lines above the header, separator, the header line). The separator is the one that a first line
    `sep=;` declares, else the only one that gives the required columns, else a comma."""
    content = text.split("\n")
    declared = declared_separator(content[0])
    above = 0 if declared is None else 1
    while above < len(content) - 1 and not content[above].strip("\r"):
        above += 1
    header = content[above] if above < len(content) else ""
    other = other_separator(header, ",", lambda names: set(required) <= set(names))
    return above, declared or (CHARACTERS[other] if other else ","), header


def _rename(name: str, head: Sequence[str], required: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, [h for h in head if h not in required], n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}? then rename it" if close else f"add it: {', '.join(required)}"


Fault = tuple[str, str, str]  # key, problem, remedy


def _name_faults(name: str, line: int, seen: dict[str, int]) -> Iterator[Fault]:
    if not name:
        yield f"line {line}, name", "is empty", "give each point a name"
    elif name in seen:
        problem = f"{name!r} is already used in line {seen[name]}"
        yield f"line {line}, name", problem, "give each point a unique name"
    else:
        seen[name] = line


def _figure_faults(row: dict[str, str], columns: Sequence[str], line: int) -> Iterator[Fault]:
    for column in columns:
        key, value = f"line {line}, {column}", row[column]
        parsed = parse_number(value)
        if parsed is None:
            yield key, f"is not a number, got {value!r}", "write it as digits, say 1234.5 or 1.2e9"
        elif parsed < 0:
            yield key, f"cannot be negative, got {value}", "a cost is 0 or more"


def parse_number(text: str) -> float | None:
    """A finite number, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
