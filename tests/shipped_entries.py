"""The catalogue that comes with the project is parsed once in a process of tests, not by each test that reads
it: a tenth of a second of a core. What a user adds to it is read each time."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from orchestrator.config import catalogue, grid
from orchestrator.config.capabilities import load_capabilities
from orchestrator.config.yaml_sources import YamlFile, read_mapping
from orchestrator.errors import Problem

SHIPPED = catalogue.builtin_catalogue()


def parse_once() -> None:
    catalogue.read_mapping = _read_mapping
    grid.load_capabilities = cache(load_capabilities)


def _read_mapping(path: Path, where: str | None = None) -> tuple[YamlFile, list[Problem]]:
    if where is not None or not path.is_relative_to(SHIPPED):
        return read_mapping(path, where)
    file, content, problems = _parsed(path, path.stat().st_mtime_ns)
    return replace(file, raw=json.loads(content)), list(problems)


@cache
def _parsed(path: Path, changed: int) -> tuple[YamlFile, str, tuple[Problem, ...]]:
    file, problems = read_mapping(path)
    return file, json.dumps(file.raw), tuple(problems)
