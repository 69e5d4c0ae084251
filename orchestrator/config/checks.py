"""Check what a sweep file can get wrong with well-formed keys: names, duplicates, rules, recipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.catalogue import HOW_TO_MAKE_ONE, KINDS, Catalogue, is_price_file
from orchestrator.config.grid import UNSET, Grid
from orchestrator.config.methods import MethodVariant
from orchestrator.config.schema import SweepConfig
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import Family, TaskKind
from orchestrator.errors import Problem, did_you_mean

AXES = ("models", "domains", "methods", "tasks")
_NAMED_BY: dict[str, tuple[str, ...]] = {  # keys of a sweep that name entries of a kind
    "backbones": ("models", "domains"),
    "methods": ("methods",),
    "tasks": ("tasks",),
    "prices": ("prices",),
    "devices": (),
}
_MOST_REASONS = 3
STAND_IN = "?"  # for a value whose problem is reported already


@dataclass(frozen=True)
class Source:
    """Where a key was set: in the file, or on the command line."""

    file: str
    overridden: frozenset[str]
    methods: tuple[int | None, ...] = ()  # of each item the file's that it is, if it was selected by name
    names: tuple[str, ...] = ()  # by which the file's methods can be selected

    def placed(self, problem: Problem) -> Problem:
        """Return the problem of a selected method at its index in the file."""
        parts = problem.key.split(".")
        if parts[0] != "methods" or len(parts) == 1 or not parts[1].isdigit():
            return problem
        at = int(parts[1])
        item = self.methods[at] if at < len(self.methods) else None
        if item is None:
            return problem
        return replace(problem, where=self.file, key=".".join(["methods", str(item), *parts[2:]]))

    def of(self, key: str) -> str:
        parts = key.split(".")
        dotted = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
        return "command line" if dotted & self.overridden else self.file


def known_names(catalogue: Catalogue) -> dict[str, list[str]]:
    return {
        "models": catalogue.models,
        "domains": catalogue.domains,
        "methods": sorted(catalogue.methods),
        "tasks": sorted(catalogue.tasks),
    }


def axis_names(config: SweepConfig, axis: str) -> list[str]:
    values = getattr(config, axis)
    return [item.name for item in values] if axis == "methods" else list(values)


def check_catalogues(config: SweepConfig, source: Source) -> list[Problem]:
    """Return the catalogue directories that are missing, each with the key that names it."""
    problems = []
    for index, directory in enumerate(map(Path, config.catalogues)):
        if directory.is_dir():
            continue
        siblings = [path.parent.name for kind in KINDS for path in directory.parent.glob(f"*/{kind}/")]
        fix = did_you_mean(directory.name, siblings) if siblings else HOW_TO_MAKE_ONE
        key, problem = f"catalogues.{index}", f"there is no such directory, got {str(directory)!r}"
        problems.append(Problem(source.of(key), key, problem, f"{fix} (its names are checked then)"))
    return problems


def doubted_axes(of_catalogue: Iterable[Problem], of_directories: Sequence[Problem]) -> frozenset[str]:
    """Return the axes on which a name may belong to an entry that could not be read."""
    kinds = {Path(problem.where).parent.name for problem in of_catalogue}
    if of_directories or not kinds <= _NAMED_BY.keys():
        kinds = set(_NAMED_BY)
    return frozenset(axis for kind in kinds for axis in _NAMED_BY[kind])


def check_names(config: SweepConfig, catalogue: Catalogue, source: Source) -> list[Problem]:
    """Report names that are not in the catalogue."""
    problems = []
    for axis, names in known_names(catalogue).items():
        for index, name in enumerate(axis_names(config, axis)):
            if name not in names and name != STAND_IN:
                key, problem = f"{axis}.{index}", f"{axis[:-1]} not in the catalogue, got {name!r}"
                offered = [*names, *source.names] if axis == "methods" else names
                problems.append(Problem(source.of(key), key, problem, did_you_mean(name, offered)))
    own = config.prices is not None and is_price_file(config.prices)  # its problems are reported already
    if config.prices is not None and config.prices not in catalogue.prices and not own:
        problem, fix = (
            f"not in the catalogue, got {config.prices!r}",
            did_you_mean(config.prices, catalogue.prices),
        )
        problems.append(Problem(source.of("prices"), "prices", problem, fix))
    return problems


def check_good_enough(config: SweepConfig, catalogue: Catalogue, source: Source) -> list[Problem]:
    """Tasks that the sweep does not have, and a least quality for one that is measured by its loss."""
    target = config.good_enough
    if target is None:
        return []
    problems = []
    for name in target.tasks:
        if name not in config.tasks:
            key = f"good_enough.tasks.{name}"
            problem, fix = f"not a task of this sweep, got {name!r}", did_you_mean(name, config.tasks)
            problems.append(Problem(source.of(key), key, problem, fix))
    for name in config.tasks:
        entry = catalogue.tasks.get(name)
        if (
            entry is not None
            and entry.spec.metric is MetricName.LOSS
            and target.of(name).at_least is not None
        ):
            key = f"good_enough.tasks.{name}" if name in target.tasks else "good_enough.at_least"
            problem = f"{name} is measured by its loss, which has no least value"
            problems.append(Problem(source.of(key), key, problem, "set within for this task"))
    return problems


def check_doubles(config: SweepConfig, source: Source) -> list[Problem]:
    """Report values that an axis lists twice: they make the same cells. (Methods are checked by slug.)"""
    axes = {axis: getattr(config, axis) for axis in ("models", "domains", "tasks", "seeds")}
    axes |= {f"axes.{key}": values for key, values in config.axes.axes().items()}
    return [
        Problem(source.of(axis), axis, f"{value!r} is listed {count} times", "remove the duplicate")
        for axis, values in axes.items()
        for value, count in Counter(values).items()
        if count > 1
    ]


def check_idle_keys(config: SweepConfig, source: Source) -> list[Problem]:
    """Values that no trial would have, as each method of the file has its own: an axis of all methods, or a
    key that the command line sets."""
    problems = []
    own = [item.axes() for item in config.methods if item.name != STAND_IN]
    keys = [f"axes.{key}" for key in config.axes.axes()]
    if config.partial:  # the methods that an axis of the file is for may be left out
        keys = [key for key in keys if key in source.overridden]
    keys += [f"recipe.{key}" for key in config.recipe.values() if f"recipe.{key}" in source.overridden]
    for at in keys:
        key = at.partition(".")[2]
        if own and all(key in axes for axes in own):
            problem = "has no effect: every method sets it itself"
            name = config.methods[0].name
            fix = f"change {key} of the methods, say methods=[{{name: {name}, {key}: …}}]"
            problems.append(Problem(source.of(at), at, problem, fix))
    return problems


def short_of_reach(config: SweepConfig, source: Source) -> list[str]:
    """A sentence for each recipe key of the command line that some methods do not take, as they set it."""
    notes = []
    for key in (key for key in config.recipe.values() if f"recipe.{key}" in source.overridden):
        own = [
            f"{item.name} ({', '.join(map(str, values))})"
            for item in config.methods
            if (values := item.axes().get(key))
        ]
        if own:
            verb = "sets its" if len(own) == 1 else "set their"
            notes.append(f"recipe.{key} of the command line does not reach {', '.join(own)}: {verb} own")
    return notes


def rules_may_idle(config: SweepConfig, source: Source) -> bool:
    """Return whether the command line may have left out a rule's cells: not if it sets seeds or rules."""
    overridden = {key.split(".")[0] for key in source.overridden} & {*AXES, "axes", "seeds", "rules"}
    return config.partial and "rules" not in overridden and overridden != {"seeds"}


def check_rules(
    config: SweepConfig,
    catalogue: Catalogue,
    variants: Sequence[MethodVariant],
    idle: Iterable[int],
    source: Source,
    sure: bool,
) -> list[Problem]:
    """Rules that match nothing, as a misspelt rule does. `sure` is False where a rule may be idle for another
    reason (the command line changed an axis, or an axis is wrong itself): then only names that exist nowhere
    are reported."""
    names = {
        "model": catalogue.models,
        "domain": catalogue.domains,
        "task": sorted(catalogue.tasks),
        "entry": sorted(catalogue.methods),
        "backbone": sorted(b.name for b in catalogue.backbones.values()),
        "family": [str(family) for family in Family],
        "task_kind": [str(kind) for kind in TaskKind],
        "task_domain": sorted({entry.spec.domain for entry in catalogue.tasks.values()}),
    }
    if sure:
        names["method"] = [variant.spec.name for variant in variants]
    problems, misspelt = [], set[int]()
    for index, rule in enumerate(config.rules):
        for key, values in rule.match.given().items():
            for value in values:
                if key in names and value not in names[key]:
                    misspelt.add(index)
                    at, problem = f"rules.{index}.match.{key}", f"no {key} of that name, got {value!r}"
                    problems.append(Problem(source.of(at), at, problem, did_you_mean(value, names[key])))
    for index in idle:
        if index not in misspelt and sure:
            at, got = f"rules.{index}.match", config.rules[index].match.given()
            problem = f"matches no cell of this sweep, got { ({k: list(v) for k, v in got.items()}) }"
            problems.append(Problem(source.of(at), at, problem, "correct the match, or remove the rule"))
    return problems


def check_grid(grid: Grid, catalogue: Catalogue, source: Source) -> list[Problem]:
    """Report a grid in which nothing can run."""
    if grid.cells or grid.problems:
        return []
    reasons = Counter(cell.reason for cell in grid.refused)
    text = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(_MOST_REASONS))
    hidden = len(reasons) - _MOST_REASONS
    text += f"; and {hidden} more {'reason' if hidden == 1 else 'reasons'}" if hidden > 0 else ""
    fix = "; ".join(_fixes(grid, catalogue)) or "name models and domains that exist"
    problem = f"no cell is left to run: of {len(grid.refused)}, all are refused: {text}"
    return [Problem(source.of("models"), "models", problem, fix)]


def _fixes(grid: Grid, catalogue: Catalogue) -> Iterator[str]:
    """Yield what would make a cell of each kind of refusal run."""
    absent = [c for c in grid.refused if (c.cell.model, c.cell.domain) not in catalogue.backbones]
    for model in sorted({cell.cell.model for cell in absent}):
        yield f"{model} exists for: {', '.join(catalogue.domains_of(model)) or 'no domain'}"
    ruled = [cell for cell in grid.refused if cell.by_rule]
    if ruled:
        yield "remove an `exclude` rule"
    if len(absent) + len(ruled) < len(grid.refused):
        yield "choose methods that run on these models"


def check_recipes(of_cells: Sequence[Problem], source: Source, skip_unset: bool) -> list[Problem]:
    """Return the problems of recipes, each once however many cells have it. `where` of those given is the
    cell. `skip_unset`: leave out keys that are not set, because a misspelt key may be meant for them."""
    cells: dict[tuple[str, str, str], list[str]] = {}
    for p in of_cells:
        if skip_unset and p.problem == UNSET:
            continue
        cells.setdefault((p.key, p.problem, p.fix), []).append(p.where)
    problems = []
    for (key, problem, fix), names in cells.items():
        of_rule = key.startswith("rules")  # settings of a method, which are nowhere else
        at = key if of_rule else f"recipe.{key}"
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = f"set {at}, or {key} of the method or in a rule"
        text = fix if of_rule else f"{fix}: {where}" if fix else where
        problems.append(Problem(source.of(at), at, f"{problem} (in {names[0]}{more})", text))
    return problems
