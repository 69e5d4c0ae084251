"""The catalogue as one sweep sees it: with its price file, the layouts of its data and its locked commits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from orchestrator.config import checks
from orchestrator.config.catalogue import Catalogue, is_price_file, read_prices
from orchestrator.config.layouts import resolve_layout
from orchestrator.config.lock import Lock, locked
from orchestrator.config.schema import SweepConfig
from orchestrator.config.used_entries import Used
from orchestrator.errors import Problem


def directories_of(raw: Mapping[str, object]) -> list[Path]:
    """Return the catalogue directories that exist. Validation and checks report the others."""
    listed = raw.get("catalogues")
    paths = [Path(item) for item in listed if isinstance(item, str)] if isinstance(listed, list) else []
    return [directory for directory in paths if directory.is_dir()]


def used_by(config: SweepConfig) -> Used:
    """Return the names of catalogue entries that the sweep uses."""
    device = getattr(config.resources, "device", None)
    prices = () if config.prices is None or is_price_file(config.prices) else (config.prices,)
    methods = checks.axis_names(config, "methods")
    return {
        "tasks": config.tasks,
        "methods": methods,
        "prices": prices,
        "devices": [device] if device else (),
    }


def with_prices_of(config: SweepConfig, catalogue: Catalogue) -> tuple[Catalogue, list[Problem]]:
    """Return the catalogue with the sweep's own price file, under its path."""
    if config.prices is None or not is_price_file(config.prices):
        return catalogue, []
    book, problems = read_prices(Path(config.prices))
    prices = catalogue.prices | ({} if book is None else {config.prices: book})
    return dataclasses.replace(catalogue, prices=prices), problems


def with_tasks_of(config: SweepConfig, catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with its tasks in the layout that this sweep's data_dir has."""
    data_dir = None if config.data_dir is None else Path(config.data_dir)
    settings = {"on_bad_record": config.on_bad_record, "paper_scoring": config.paper_scoring}
    given = {key: value for key, value in settings.items() if value is not None}
    tasks = {
        name: entry.model_copy(update={"spec": resolve_layout(entry.spec.model_copy(update=given), data_dir)})
        for name, entry in catalogue.tasks.items()
    }
    return dataclasses.replace(catalogue, tasks=tasks)


def at_locked_commits(catalogue: Catalogue, lock: Lock) -> Catalogue:
    """Return the catalogue with its backbones and data sets of a hub at their locked commits."""
    backbones = {axes: locked(backbone, lock) for axes, backbone in catalogue.backbones.items()}
    tasks = {
        name: entry.model_copy(update={"spec": locked(entry.spec, lock)})
        for name, entry in catalogue.tasks.items()
    }
    return dataclasses.replace(catalogue, backbones=backbones, tasks=tasks)
