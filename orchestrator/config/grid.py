"""The grid of a sweep: the product of its axes, less what cannot or shall not run, with recipes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from orchestrator.config.catalogue import Catalogue, TaskEntry
from orchestrator.config.methods import MethodVariant
from orchestrator.config.recipes import lay
from orchestrator.config.schema import Rule, SweepConfig
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.sweep import RefusedCell
from orchestrator.contracts.trial import Cell, Recipe

UNSET = "is set nowhere"


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell that can run. Backbone, variant, task and recipe are shared by all cells that have the same."""

    cell: Cell
    backbone: BackboneSpec
    variant: MethodVariant
    task: TaskEntry
    recipe: Recipe


@dataclass(frozen=True)
class BadRecipe:
    """Layers that make no recipe: what is wrong, and the first cell in which it is."""

    key: str
    problem: str
    cell: str


@dataclass
class Grid:
    cells: list[GridCell] = field(default_factory=list)  # in the order of the axes, tasks varying fastest
    refused: list[RefusedCell] = field(default_factory=list)
    bad_recipes: list[BadRecipe] = field(default_factory=list)
    idle_rules: list[int] = field(default_factory=list)  # those that match no cell


def build_grid(config: SweepConfig, catalogue: Catalogue, variants: Sequence[MethodVariant]) -> Grid:
    """All cells of the axes. Names that the catalogue does not hold must be gone from `config` by now."""
    grid, idle = Grid(), set(range(len(config.rules)))
    recipes = _Recipes(config)
    for model, domain, variant, task in itertools.product(
        config.models, config.domains, variants, config.tasks
    ):
        cell = Cell(model=model, domain=domain, method=variant.spec.name, task=task)
        backbone = catalogue.backbones.get((model, domain))
        if backbone is None:
            reason = f"no backbone of the catalogue has model {model} and domain {domain}"
            grid.refused.append(RefusedCell(cell=cell, reason=reason))
            continue
        matched = tuple(_matching(config.rules, cell, variant, backbone))
        idle.difference_update(matched)
        excluded = next((r for i in matched if (r := config.rules[i].exclude) is not None), None)
        if excluded is not None:
            grid.refused.append(RefusedCell(cell=cell, reason=f"excluded: {excluded}"))
            continue
        entry = catalogue.tasks[task]
        recipe = recipes.resolve(variant, entry, backbone, matched)
        if isinstance(recipe, Recipe):
            grid.cells.append(GridCell(cell, backbone, variant, entry, recipe))
        else:
            grid.bad_recipes += [BadRecipe(key, problem, cell.name) for key, problem in recipe]
    grid.idle_rules = sorted(idle)
    return grid


def _matching(
    rules: Sequence[Rule], cell: Cell, variant: MethodVariant, backbone: BackboneSpec
) -> Iterator[int]:
    names = cell.model_dump() | {"entry": variant.spec.entry, "backbone": backbone.name}
    for place, rule in enumerate(rules):
        if all(names[key] in wanted for key, wanted in rule.match.given().items()):
            yield place


class _Recipes:
    """Each distinct recipe is laid once, however many cells share it."""

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._sweep = config.recipe.values()
        self._rules = [rule.set.values() if rule.set is not None else {} for rule in config.rules]
        self._known: dict[tuple[Any, ...], Recipe | list[tuple[str, str]]] = {}

    def resolve(
        self, variant: MethodVariant, task: TaskEntry, backbone: BackboneSpec, matched: tuple[int, ...]
    ) -> Recipe | list[tuple[str, str]]:
        """The recipe, or (key, problem) of each fault."""
        key = (variant.spec.name, task.spec.name, backbone.max_length, matched)
        if key not in self._known:
            self._known[key] = self._lay(variant, task, backbone, matched)
        return self._known[key]

    def _lay(
        self, variant: MethodVariant, task: TaskEntry, backbone: BackboneSpec, matched: tuple[int, ...]
    ) -> Recipe | list[tuple[str, str]]:
        layers = [variant.entry_recipe, task.recipe.values(), self._sweep, variant.item_recipe]
        layers += [self._rules[place] for place in matched]
        try:
            return lay(
                layers,
                task_max_length=task.spec.max_length,
                backbone_max_length=backbone.max_length,
                full_data=self._config.full_data,
            )
        except ValidationError as error:
            return [_fault(e["loc"], e["type"], e["msg"]) for e in error.errors(include_url=False)]


def _fault(loc: tuple[int | str, ...], kind: str, message: str) -> tuple[str, str]:
    if kind == "missing":
        return str(loc[0]), UNSET
    return (str(loc[0]) if loc else "micro_batch_size"), message.removeprefix("Value error, ")
