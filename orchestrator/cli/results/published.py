"""From the word after `--against` to published results: a name of the catalogue, or a CSV file."""

from __future__ import annotations

from pathlib import Path

from orchestrator.config.catalogue import builtin_catalogue
from orchestrator.config.record_files import read_record
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.report.analysis.published import PublicationSheet, Published, read_published


def load_published(name: str) -> Published:
    """`taylor-2024` of the catalogue, or the path of a CSV; the YAML file of the same name is beside it and
    may be missing. Raises ConfigError."""
    path = _find(name)
    beside = path.with_suffix(".yaml")
    return read_published(path, read_record(PublicationSheet, beside) if beside.is_file() else None)


def _find(name: str) -> Path:
    directory = builtin_catalogue() / "published"
    for path in (Path(name), directory / f"{name}.csv"):
        if path.suffix == ".csv" and path.is_file():
            return path
    names = [path.stem for path in directory.glob("*.csv")]
    close = did_you_mean(name, names)
    own = "a CSV file of your own works too, and `frontier compare A B` compares two sweeps"
    fix = f"{close}{'' if close.endswith('?') else ';'} {own}"
    raise ConfigError([Problem("--against", "", f"there are no published results {name!r}", fix)])
