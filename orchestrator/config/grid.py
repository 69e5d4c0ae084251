"""The grid of a sweep: the product of its axes, less what cannot or shall not run, with recipes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.capabilities import Capabilities, load_capabilities
from orchestrator.config.catalogue import Catalogue, TaskEntry
from orchestrator.config.methods import MethodVariant, with_settings
from orchestrator.config.recipes import Purse, lay
from orchestrator.config.rules import Rule
from orchestrator.config.schema import SweepConfig
from orchestrator.config.shape_limits import text_room, unfit
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.fold import Fold, folds_of
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import ProblemError
from orchestrator.contracts.sweep import EXCLUDED, RefusedCell
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.tuning import Tune, with_values
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import Problem

UNSET = "is set nowhere"
_OF_SEVERAL_CLASSES = {
    TaskKind.NER: "a ner sentence has none",
    TaskKind.MULTILABEL: "a multilabel text has any number of labels",
    TaskKind.REGRESSION: "a regression text has a number",
}


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell that can run. Backbone, variant, task and recipe are shared by all cells that have the same."""

    cell: Cell
    backbone: BackboneSpec
    variant: MethodVariant
    task: TaskEntry
    recipe: Recipe  # with `tune`, what a search starts from
    tune: Tune | None = None
    rules: tuple[int, ...] = ()  # those of the sweep that match
    one_fold: bool = False  # of a probe, which is no result

    @property
    def folds(self) -> tuple[Fold | None, ...]:
        """Return what the trials of one seed test: the folds of the task, or None for its test part."""
        folds = folds_of(self.task.spec.folds)
        return folds[:1] if self.one_fold else folds


@dataclass
class Grid:
    cells: list[GridCell] = field(default_factory=list)  # in the order of the axes, tasks varying fastest
    refused: list[RefusedCell] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)  # of recipes and rules; `where` names the cell
    idle_rules: list[int] = field(default_factory=list)  # those that match no cell


def build_grid(config: SweepConfig, catalogue: Catalogue, variants: Sequence[MethodVariant]) -> Grid:
    """Return all cells of the axes. `config` must hold no names that the catalogue lacks."""
    grid, idle = Grid(), set(range(len(config.rules)))
    recipes, capabilities = _Recipes(config, catalogue), load_capabilities()
    taken: set[Cell] = set()
    for model, domain, listed, task in itertools.product(
        config.models, config.domains, variants, config.tasks
    ):
        cell = Cell(model=model, domain=domain, method=listed.spec.name, task=task)
        backbone = catalogue.backbones.get((model, domain))
        if backbone is None:
            reason = f"no backbone of the catalogue has model {model} and domain {domain}"
            grid.refused.append(RefusedCell(cell=cell, reason=reason))
            continue
        entry = catalogue.tasks[task]
        matched = tuple(_matching(config.rules, cell, listed, backbone, entry))
        idle.difference_update(matched)
        excluded = next((r for i in matched if (r := config.rules[i].exclude) is not None), None)
        if excluded is not None:
            grid.refused.append(RefusedCell(cell=cell, reason=f"{EXCLUDED}{excluded}"))
            continue
        variant, wrong = _by_rules(listed, {i: config.rules[i].settings for i in matched})
        cell = cell.model_copy(update={"method": variant.spec.name})
        if cell in taken and not wrong:
            fix = "set other values in the rule, or exclude one of the two cells"
            wrong = [Problem.of_key("", "two cells become identical", fix)]
        if wrong:
            grid.problems += [replace(p, where=cell.name, key=f"rules{p.key}") for p in wrong]
            continue
        taken.add(cell)
        if (why := unfit(backbone, variant.spec.settings)) is not None:
            grid.refused.append(RefusedCell(cell=cell, reason=why))
            continue
        recipe = recipes.resolve(variant, entry, backbone, matched)
        if not isinstance(recipe, Recipe):
            grid.problems += [replace(problem, where=cell.name) for problem in recipe]
            continue
        grid_cell = GridCell(cell, backbone, variant, entry, recipe, variant.tune, matched)
        refusal = _refusal(grid_cell, capabilities, config.resources.gpus)
        refusal = refusal or _refusal_of_search(grid_cell, capabilities, config.resources.gpus)
        if refusal is None:
            grid.cells.append(grid_cell)
        else:
            grid.refused.append(RefusedCell(cell=cell, reason=refusal))
    grid.idle_rules = sorted(idle)
    return grid


def _by_rules(
    variant: MethodVariant, rules: Mapping[int, Mapping[str, object]]
) -> tuple[MethodVariant, list[Problem]]:
    """Return the variant with the settings of the rules, the last rule winning, or the problems of one
    rule."""
    for index, settings in rules.items():
        variant, wrong = with_settings(variant, settings)
        if wrong:
            return variant, [
                replace(
                    p, key=f".{index}.settings.{p.key}", problem=f"{p.problem}, got {settings.get(p.key)!r}"
                )
                for p in wrong
            ]
    return variant, []


def _refusal(cell: GridCell, capabilities: Capabilities, gpus: float) -> str | None:
    """Return why the cell could not run, or would not do what its recipe says; None if it can."""
    settings, recipe, task = cell.variant.spec.settings, cell.recipe, cell.task.spec
    if cell.tune is not None and task.folds is not None:
        return "a search would choose by dev rows that other folds test: with folds, set the values yourself"
    if recipe.train_rows_per_class is not None and task.kind in _OF_SEVERAL_CLASSES:
        example = _OF_SEVERAL_CLASSES[task.kind]
        return f"train_rows_per_class counts examples of a class, and {example}: use train_rows"
    if recipe.class_weights is not None and task.kind is TaskKind.NER:
        return "class_weights weighs rows by their class, and a ner sentence has none"
    if recipe.class_weights is not None and task.kind is TaskKind.REGRESSION:
        return "class_weights weighs rows by their class, and a regression text has none"
    if settings.needs_planned_steps and recipe.train_seconds is not None:
        return f"{settings.kind} is planned over a known number of steps: a budget of time gives none"
    return capabilities.refusal(cell.backbone, settings, task.kind, gpus)


def _refusal_of_search(cell: GridCell, capabilities: Capabilities, gpus: float) -> str | None:
    """Return why one of the candidates that a search may draw could not run, None if all can."""
    settings = cell.variant.spec.settings
    for values in cell.tune.corners(type(settings).model_fields) if cell.tune is not None else ():
        try:
            tried = with_values(cell.variant.spec, cell.recipe, values)[0].settings
        except ValidationError:
            continue  # reported with the other incompatible values, when the search is planned
        why = unfit(cell.backbone, tried)
        why = why or capabilities.refusal(cell.backbone, tried, cell.task.spec.kind, gpus)
        if why is not None:
            shown = ", ".join(f"{key} {value}" for key, value in values.items())
            return f"its search would try {shown}: {why}"
    return None


def _matching(
    rules: Sequence[Rule], cell: Cell, variant: MethodVariant, backbone: BackboneSpec, task: TaskEntry
) -> Iterator[int]:
    names = cell.model_dump() | {"entry": variant.spec.entry, "backbone": backbone.name}
    names |= {"family": str(backbone.family)}
    names |= {"task_kind": str(task.spec.kind), "task_domain": task.spec.domain}
    for index, rule in enumerate(rules):
        if all(names[key] in values for key, values in rule.match.given().items()):
            yield index


class _Recipes:
    """Each distinct recipe is laid once, however many cells share it."""

    def __init__(self, config: SweepConfig, catalogue: Catalogue) -> None:
        self._config = config
        price = catalogue.prices.get(config.prices or "")
        device = None if price is None else price.usual("gpu" if config.resources.gpus else "core")
        rate = None if price is None or device is None else price.rate(device, config.market)
        self._purse = Purse(config.resources.devices, rate)
        self._sweep = config.recipe.values()
        self._rules = [rule.set.values() if rule.set is not None else {} for rule in config.rules]
        self._known: dict[tuple[object, ...], Recipe | list[Problem]] = {}

    def resolve(
        self, variant: MethodVariant, task: TaskEntry, backbone: BackboneSpec, matched: tuple[int, ...]
    ) -> Recipe | list[Problem]:
        """Return the recipe, or what is wrong with it."""
        key = (variant.spec.name, task.spec.name, backbone.max_length, backbone.family, matched)
        if key not in self._known:
            self._known[key] = self._lay(variant, task, backbone, matched)
        return self._known[key]

    def _lay(
        self, variant: MethodVariant, task: TaskEntry, backbone: BackboneSpec, matched: tuple[int, ...]
    ) -> Recipe | list[Problem]:
        layers = [variant.entry_recipe, variant.by_family.get(backbone.family, {}), task.recipe.values()]
        layers += [self._sweep, variant.item_recipe, *(self._rules[index] for index in matched)]
        try:
            recipe = lay(
                layers,
                task_max_length=task.spec.max_length,
                backbone_max_length=text_room(backbone, variant.spec.settings),
                full_data=self._config.full_data,
                purse=self._purse,
            )
        except ValidationError as error:
            return [problem for e in error.errors(include_url=False) for problem in _recipe_problems(e)]
        if recipe.money is not None:
            problem = (
                f"is a budget of {recipe.money:g}, and `prices` names no price of an hour of these devices"
            )
            return [Problem.of_key("money", problem, "name a price entry that has one: prices: …")]
        return recipe


def _recipe_problems(error: ErrorDetails) -> Iterator[Problem]:
    """Yield the problems of a recipe. An empty fix means: set the key."""
    if error["type"] == "missing":
        yield Problem.of_key(str(error["loc"][0]), UNSET, "")
    elif isinstance(cause := error.get("ctx", {}).get("error"), ProblemError):
        yield from cause.problems
    else:
        yield Problem.of_key(str(error["loc"][0]), f"{error['msg']}, got {error['input']}", "")
