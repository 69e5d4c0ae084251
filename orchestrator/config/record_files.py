"""A YAML file that holds one record and belongs to no catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from orchestrator.config.problems import validate
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts.record import Record
from orchestrator.errors import ConfigError

R = TypeVar("R", bound=Record)


def read_record(model: type[R], path: Path) -> R:
    """Return the record in a file. Raises ConfigError with every mistake, each with its line."""
    document, problems = read_mapping(path)
    if problems:
        raise ConfigError(problems)
    record, invalid = validate(model, document.raw, str(path))
    if record is None:
        raise ConfigError(document.placed(invalid, str(path)))
    return record
