"""Where each value of a cell comes from: the keys of its recipe, and the settings of its method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

from orchestrator.config.catalogue import builtin_catalogue
from orchestrator.config.grid import GridCell
from orchestrator.config.recipes import EITHER
from orchestrator.config.sweep import ResolvedSweep
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts.recipe import Recipe

Source = Literal[
    "default",
    "catalogue",
    "by_family",
    "task",
    "backbone",
    "file",
    "command line",
    "rule",
    "search",
    "computed",
]


@dataclass(frozen=True)
class KeyOrigin:
    """Where a value comes from: a dotted `key`, in `file` at `line` (from 1), as far as these are known."""

    source: Source
    key: str = ""
    file: Path | None = None
    line: int | None = None


@dataclass(frozen=True)
class Explained:
    key: str
    value: object
    origin: KeyOrigin


def explain(sweep: ResolvedSweep, cell: GridCell, now: GridCell) -> tuple[list[Explained], list[Explained]]:
    """Return the recipe of a cell of the grid, and the settings of its method. `now` is the cell as it is
    trained: with the values that a search found, where it has one."""
    places = _Places(sweep, cell)
    resolved = _recipe(places, cell)
    searched = cell.tune.space if cell.tune is not None else {}
    recipe = [
        Explained(key, value, _settled(places, key, value, resolved, searched))
        for key, value in now.recipe.model_dump(mode="json").items()
    ]
    settings = [
        Explained(key, value, KeyOrigin("search", key) if key in searched else places.of_setting(key))
        for key, value in now.variant.spec.settings.model_dump(mode="json").items()
        if key != "kind"
    ]
    return recipe, settings


def _recipe(places: _Places, cell: GridCell) -> dict[str, tuple[object, KeyOrigin]]:
    """Return the value of each key that some layer sets, and the last layer that does, as `recipes.lay` has
    it."""
    settings: dict[str, tuple[object, KeyOrigin]] = {}
    for values, origin_of in places.layers(cell):
        for group in EITHER:
            setting = [key for key in group if values.get(key) is not None]
            for key in group if setting else ():
                settings[key] = None, origin_of(setting[0])
        settings |= {key: (value, origin_of(key)) for key, value in values.items()}
    return settings


def _settled(
    places: _Places,
    key: str,
    value: object,
    origins: Mapping[str, tuple[object, KeyOrigin]],
    searched: Mapping[str, object],
) -> KeyOrigin:
    """Return the origin of the key's final value, which the last decisions may have changed after a layer set
    it."""
    if key in searched:
        return KeyOrigin("search", key)
    if key not in origins:
        of_task = key == "max_length" and value == places.cell.task.spec.max_length
        if of_task:
            return places.of_entry("task", "tasks", places.cell.task.spec.name, key)
        if key == "max_length":
            return places.of_entry("backbone", "backbones", places.cell.backbone.name, key)
        return KeyOrigin("default") if value == Recipe.model_fields[key].default else KeyOrigin("computed")
    layered, origin = origins[key]
    if layered == value:
        return origin
    if key == "max_length":
        return places.of_entry("backbone", "backbones", places.cell.backbone.name, key)
    return places.of_sweep("full_data") if places.sweep.config.full_data else KeyOrigin("computed")


class _Places:
    def __init__(self, sweep: ResolvedSweep, cell: GridCell) -> None:
        self.sweep, self.cell = sweep, cell

    def _of_rule(self, index: int, key: str) -> KeyOrigin:
        return self.of_sweep(f"rules.{index}.set.{key}", "rule")

    def layers(self, cell: GridCell) -> Iterator[tuple[Mapping[str, object], Callable[[str], KeyOrigin]]]:
        """Yield the layers that set keys of the recipe, later ones winning, each with the origin of its
        keys."""
        entry, family, task = cell.variant.spec.entry, cell.backbone.family, cell.task
        yield cell.variant.entry_recipe, lambda k: self.of_entry("catalogue", "methods", entry, f"recipe.{k}")
        yield (
            cell.variant.by_family.get(family, {}),
            lambda k: self.of_entry("by_family", "methods", entry, f"by_family.{family}.{k}"),
        )
        yield task.recipe.values(), lambda k: self.of_entry("task", "tasks", task.spec.name, f"recipe.{k}")
        yield self.sweep.config.recipe.values(), lambda k: self.of_sweep(f"recipe.{k}")
        yield cell.variant.item_recipe, self._of_item
        for index in cell.rules:
            patch = self.sweep.config.rules[index].set
            if patch is not None:
                yield patch.values(), partial(self._of_rule, index)

    def of_setting(self, key: str) -> KeyOrigin:
        rules = [n for n in self.cell.rules if key in self.sweep.config.rules[n].settings]
        if rules:
            return self.of_sweep(f"rules.{rules[-1]}.settings.{key}", "rule")
        variant = self.cell.variant
        if key in variant.values:
            return self._of_item(key)
        if variant.entry is not None and key in variant.entry.settings.model_fields_set:
            return self.of_entry("catalogue", "methods", variant.spec.entry, f"settings.{key}")
        return KeyOrigin("default")

    def of_entry(self, source: Source, kind: str, name: str, key: str) -> KeyOrigin:
        """Return the origin of a key of a catalogue entry."""
        for root in (builtin_catalogue(), *map(Path, self.sweep.config.catalogues)):
            file = root / kind / f"{name}.yaml"
            if file.is_file():
                return KeyOrigin(source, key, file, _lines(file).get(key))
        return KeyOrigin(source, key)

    def of_sweep(self, key: str, source: Source = "file") -> KeyOrigin:
        """Return the origin of a key of the sweep file, or of the command line if that sets it."""
        overridden = {key.split(".")[0], ".".join(key.split(".")[:2])} & self.sweep.source.overridden
        if overridden:
            return KeyOrigin("command line", key)
        return KeyOrigin(source, key, self.sweep.file, self.sweep.lines.get(key))

    def _of_item(self, key: str) -> KeyOrigin:
        index, chosen = self.cell.variant.place, self.sweep.source.methods
        if key not in self.sweep.config.methods[index].axes():
            return self.of_sweep(f"axes.{key}")
        if not chosen:
            return self.of_sweep(f"methods.{index}.{key}")
        at = chosen[index]
        if at is None:
            return KeyOrigin("command line", f"methods.{index}.{key}")
        dotted = f"methods.{at}.{key}"
        return KeyOrigin("file", dotted, self.sweep.file, self.sweep.lines.get(dotted))


@cache
def _lines(file: Path) -> Mapping[str, int]:
    """Return the lines of the keys of a catalogue entry."""
    return read_mapping(file)[0].lines
