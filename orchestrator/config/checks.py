"""Check what a sweep file can get wrong with well-formed keys: names, duplicates, keys without effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.config.catalogue import HOW_TO_MAKE_ONE, KINDS, Catalogue, is_price_file
from orchestrator.config.schema import SweepConfig
from orchestrator.config.source import KeySource
from orchestrator.contracts.metrics import IN_THE_UNIT, METRICS
from orchestrator.errors import Problem, did_you_mean

AXES = ("models", "domains", "methods", "tasks")
_NAMED_BY: dict[str, tuple[str, ...]] = {  # keys of a sweep that name entries of a kind
    "backbones": ("models", "domains"),
    "methods": ("methods",),
    "tasks": ("tasks",),
    "prices": ("prices",),
    "devices": (),
}
STAND_IN = "?"  # for a value whose problem is reported already


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


def check_catalogues(config: SweepConfig, source: KeySource) -> list[Problem]:
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


def check_names(config: SweepConfig, catalogue: Catalogue, source: KeySource) -> list[Problem]:
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


def _without_margin(config: SweepConfig, catalogue: Catalogue, source: KeySource) -> list[Problem]:
    """Tasks measured in a unit of their own, in which no difference is small by default. A target for all
    tasks is theirs only if all have that unit."""
    target, problems = config.good_enough, []
    specs = {name: catalogue.tasks[name].spec for name in config.tasks if name in catalogue.tasks}
    errors = {name: spec for name, spec in specs.items() if spec.metric in IN_THE_UNIT}
    one_unit = len(errors) == len(specs) and len({spec.unit for spec in errors.values()}) == 1
    for name, spec in errors.items():
        if target and (name in target.tasks or (one_unit and target.names(name))):
            continue
        unit = spec.unit or "the unit of its number"
        problem = f"is missing for {name}, whose {spec.metric} is in {unit}"
        setting = f"good_enough: {{tasks: {{{name}: {{within: NUMBER}}}}}}"
        fix = f"set {setting}, the difference in {unit} that is small"
        problems.append(Problem(source.of("good_enough"), "good_enough", problem, fix))
    return problems


def check_good_enough(config: SweepConfig, catalogue: Catalogue, source: KeySource) -> list[Problem]:
    """Tasks that the sweep does not have, and a least quality for one that is measured by its loss."""
    target = config.good_enough
    problems = _without_margin(config, catalogue, source)
    if target is None:
        return problems
    for name in target.tasks:
        if name not in config.tasks:
            key = f"good_enough.tasks.{name}"
            problem, fix = f"not a task of this sweep, got {name!r}", did_you_mean(name, config.tasks)
            problems.append(Problem(source.of(key), key, problem, fix))
    for name in config.tasks:
        entry = catalogue.tasks.get(name)
        if (
            entry is not None
            and not METRICS[entry.spec.metric].higher_is_better
            and target.of(name).at_least is not None
        ):
            key = f"good_enough.tasks.{name}" if name in target.tasks else "good_enough.at_least"
            problem = f"{name} is measured by its {entry.spec.metric}, which has no least value"
            problems.append(Problem(source.of(key), key, problem, "set within for this task"))
    return problems


def check_doubles(config: SweepConfig, source: KeySource) -> list[Problem]:
    """Report values that an axis lists twice: they make the same cells. (Methods are checked by slug.)"""
    axes = {axis: getattr(config, axis) for axis in ("models", "domains", "tasks", "seeds")}
    axes |= {f"axes.{key}": values for key, values in config.axes.axes().items()}
    return [
        Problem(source.of(axis), axis, f"{value!r} is listed {count} times", "remove the duplicate")
        for axis, values in axes.items()
        for value, count in Counter(values).items()
        if count > 1
    ]


def check_idle_keys(config: SweepConfig, source: KeySource) -> list[Problem]:
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


def short_of_reach(config: SweepConfig, source: KeySource) -> list[str]:
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
