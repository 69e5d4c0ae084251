"""The mapping file: which column of a table of runs has what."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from orchestrator.contracts.record import Record, raise_problems
from orchestrator.errors import Problem


class RunField(StrEnum):
    """What a run can have."""

    MODEL = "model"
    DOMAIN = "domain"
    METHOD = "method"
    TASK = "task"
    SEED = "seed"
    METRIC = "metric"
    QUALITY = "quality"
    DEVICE = "device"  # cpu, or the product name of a GPU
    DEVICES = "devices"
    DEVICE_HOURS = "device_hours"
    WALL_SECONDS = "wall_seconds"  # of all devices together: times `devices` it is the device time
    LATENCY_MS = "latency_ms"
    ENERGY_KWH = "energy_kwh"
    PEAK_MEMORY_GIB = "peak_memory_gib"
    TOTAL_PARAMETERS = "total_parameters"
    TRAINABLE_PARAMETERS = "trainable_parameters"

    @property
    def is_name(self) -> bool:
        return self in _NAMES


NEEDED = (RunField.MODEL, RunField.METHOD, RunField.TASK, RunField.METRIC, RunField.QUALITY)
COSTS = (RunField.DEVICE_HOURS, RunField.WALL_SECONDS)
_NAMES = (*NEEDED[:4], RunField.DOMAIN, RunField.DEVICE)
Value = str | int | float


class RunMapping(Record):
    """`columns`: where each field is read; several columns are joined by a hyphen. `values`: fields that all
    runs share. Columns of MLflow are called as in its exports: params.NAME, metrics.NAME, tags.NAME and
    attributes.run_name, .status, .duration_seconds."""

    columns: dict[RunField, str | tuple[str, ...]] = Field(default_factory=dict)
    values: dict[RunField, Value] = Field(default_factory=dict)
    only: dict[str, str] = Field(default_factory=dict)  # by column: the value that a run must have
    quality_in: Literal["share", "percent"] = "share"
    repeats: Literal["refuse", "newest"] = "refuse"  # runs of one model, method, task and seed

    @model_validator(mode="after")
    def _complete(self) -> RunMapping:
        raise_problems(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        for field in self.columns.keys() & self.values.keys():
            fix = f"remove columns.{field} or values.{field}"
            yield Problem.of_key(f"columns.{field}", f"{field} has a column and a value", fix)
        for field in self.columns:
            names = self.columns_of(field)
            if not names or not all(names):
                fix = f"name a column, or remove columns.{field}"
                yield Problem.of_key(f"columns.{field}", "names no column", fix)
        for field in NEEDED:
            if not self.has(field):
                fix = f"name its column under `columns`, or set values.{field} where all runs share it"
                yield Problem.of_key(f"columns.{field}", "is missing", fix)
        costs = [field for field in COSTS if self.has(field)]
        if len(costs) > 1:
            fix = f"remove one of {' and '.join(costs)}"
            yield Problem.of_key(f"columns.{costs[1]}", "the cost is given twice", fix)
        if self.has(RunField.TRAINABLE_PARAMETERS) and not self.has(RunField.TOTAL_PARAMETERS):
            fix = "name its column, or remove trainable_parameters"
            yield Problem.of_key("columns.total_parameters", "is missing beside trainable_parameters", fix)
        if costs and not self.has(RunField.DEVICE):
            fix = "set values.device: cpu, or the product name of the GPU; a core-hour is no GPU-hour"
            yield Problem.of_key("columns.device", "is missing, and the runs have a cost", fix)

    def has(self, field: RunField) -> bool:
        return field in self.columns or field in self.values

    def columns_of(self, field: RunField) -> tuple[str, ...]:
        """Return the columns that a field is made of; none where it is a value, or not there."""
        columns = self.columns.get(field, ())
        return (columns,) if isinstance(columns, str) else columns

    @property
    def used(self) -> tuple[str, ...]:
        """Return all columns that are read."""
        names = [name for field in self.columns for name in self.columns_of(field)]
        return tuple(dict.fromkeys([*names, *self.only]))
