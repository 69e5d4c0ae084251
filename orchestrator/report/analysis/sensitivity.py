"""Quality against a number that the grid varies: rank, learning rate, rows, budget …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.simultaneous import Simultaneous
from orchestrator.report.statistics.summary import Summary

_TITLES = {
    "rank": "rank",
    "alpha": "alpha",
    "alpha_ratio": "alpha over rank",
    "dropout": "dropout of the adapter",
    "virtual_tokens": "virtual tokens",
    "layers": "layers trained",
    "block_size": "block size",
    "learning_rate": "learning rate",
    "train_rows_per_class": "training rows asked for of each class",
    "train_rows": "training rows",
    "epochs": "epochs",
    "steps": "budget in optimiser steps",
    "train_seconds": "budget in seconds of training",
    "device_hours": "budget in device-hours",
    "money": "budget in money",
    "batch_size": "batch size",
    "weight_decay": "weight decay",
    "max_length": "maximum length in tokens",
}

Values = Mapping[str, Any]


class SettingValue(Record):
    value: float
    cell: str  # model/domain/method
    quality: Summary
    simultaneous: Simultaneous | None
    device_hours: float | None
    trainable_parameters: int | None


class SettingSeries(Record):
    """Cells that differ in one number alone."""

    label: str
    comparison: str | None
    values: tuple[SettingValue, ...]  # rising


class SettingEffect(Record):
    """Quality against a number that the grid varies: a setting of a method, or a key of the recipe."""

    key: str
    title: str
    series: tuple[SettingSeries, ...]


def setting_effects(points: Sequence[Point], sweep: SweepRecord) -> tuple[SettingEffect, ...]:
    """Return an effect for each number that takes two values or more among cells that agree in everything
    else."""
    scored = [(p, _values(p, sweep)) for p in points if p.quality is not None]
    effects = []
    for key, title in _TITLES.items():
        if len({values[key] for _, values in scored if values.get(key) is not None}) < 2:
            continue
        series = _series(key, [(p, v) for p, v in scored if v.get(key) is not None])
        if series:
            effects.append(SettingEffect(key=key, title=title, series=series))
    return tuple(effects)


def _values(point: Point, sweep: SweepRecord) -> dict[str, object]:
    """Return settings and recipe of a cell without what a search chose, which differs without being
    varied."""
    method, recipe = sweep.methods.get(point.cell.method), sweep.recipes.get(point.cell.name)
    values: dict[str, object] = (
        {} if method is None else {"entry": method.entry, **method.settings.model_dump()}
    )
    values |= {} if recipe is None else recipe.model_dump()
    tuned = sweep.tuned.get(point.cell.name)
    for key in tuned.values if tuned else ():
        values.pop(key, None)
    return values


def _series(key: str, scored: Sequence[tuple[Point, Values]]) -> tuple[SettingSeries, ...]:
    groups: dict[tuple[object, ...], list[tuple[Point, Values]]] = {}
    for point, values in scored:
        rest = tuple(sorted((name, repr(value)) for name, value in values.items() if name != key))
        place = (point.cell.model, point.cell.domain, point.comparison or "", rest)
        groups.setdefault(place, []).append((point, values))
    lines = [g for _, g in sorted(groups.items()) if len({v[key] for _, v in g}) > 1]
    varied = _varied(key, [v for line in lines for _, v in line[:1]])
    return tuple(
        SettingSeries(
            label=_label(line[0][0], line[0][1], varied),
            comparison=line[0][0].comparison,
            values=tuple(sorted((_value(p, float(v[key])) for p, v in line), key=lambda item: item.value)),
        )
        for line in lines
    )


def _varied(key: str, series: Sequence[Values]) -> list[str]:
    """Return the keys with a title, except the varied one, that distinguish the series of one method."""
    varied = []
    for name in _TITLES.keys() - {key}:
        by_entry: dict[str, set[str]] = {}
        for values in series:
            by_entry.setdefault(str(values.get("entry")), set()).add(repr(values.get(name)))
        if any(len(seen) > 1 for seen in by_entry.values()):
            varied.append(name)
    return sorted(varied)


def _label(point: Point, values: Values, varied: Sequence[str]) -> str:
    parts = [f"{_TITLES[name]} {values[name]:g}" for name in varied if values.get(name) is not None]
    return ", ".join([f"{point.cell.model}/{point.cell.domain} {values.get('entry', '')}".strip(), *parts])


def _value(point: Point, value: float) -> SettingValue:
    assert point.quality is not None
    return SettingValue(
        value=value,
        cell=point.name,
        quality=point.quality,
        simultaneous=point.simultaneous,
        device_hours=point.device_hours.mean if point.device_hours else None,
        trainable_parameters=point.trainable_parameters,
    )
