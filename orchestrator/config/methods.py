"""From the items under `methods:` to methods with one value a setting, each with a readable slug."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.config.catalogue import MethodEntry
from orchestrator.config.method_items import SETTINGS, MethodItem, RecipeAxes
from orchestrator.config.problems import FieldProblem, validate
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.tuning import SAME_THING, TUNABLE, Range, Tune
from orchestrator.contracts.vocabulary import Family
from orchestrator.errors import Problem, did_you_mean

_SHORT = {"rank": "r", "learning_rate": "lr", "train_rows": "rows", "train_rows_per_class": "n"}
_NOT_SEARCHED = ("quantise",)  # what it saves is memory, at some loss
_ALWAYS = ("rank",)  # a setting that readers expect to see, varied or not


@dataclass(frozen=True)
class MethodVariant:
    """One value of the methods axis, with the recipe keys of its catalogue entry and of its item."""

    spec: MethodSpec
    entry_recipe: dict[str, object]
    item_recipe: dict[str, object]
    by_family: dict[Family, dict[str, object]] = field(default_factory=dict)
    tune: Tune | None = None
    entry: MethodEntry | None = None
    values: dict[str, object] = field(default_factory=dict)  # those of its item, one each
    varied: frozenset[str] = frozenset()  # the keys of which the item has several
    place: int = 0  # of the item under `methods`


def expand(
    items: Sequence[MethodItem],
    entries: Mapping[str, MethodEntry],
    where: str,
    shared: RecipeAxes | None = None,
) -> tuple[list[MethodVariant], list[Problem]]:
    """Return the variants in the order of the file, nested axes varying fastest at the last key. An item's
    own values of a key replace those of `shared`. Unknown names, and duplicate values in `shared`, are left
    out here: they are reported with the other axes."""
    variants: dict[str, MethodVariant] = {}
    problems: list[Problem] = []
    of_all = {} if shared is None else {k: tuple(dict.fromkeys(v)) for k, v in shared.axes().items()}
    for index, item in enumerate(items):
        key = f"methods.{index}"
        if item.name not in entries:
            continue
        entry = entries[item.name]
        axes = {**of_all, **item.axes()}
        tune = item.tune if "tune" in item.model_fields_set else entry.tune
        wrong = list(_foreign(entry, axes, where, key)) + list(_bad_space(entry, axes, tune, where, key))
        problems += wrong
        if wrong:
            continue
        missing = dict.fromkeys(item.only)
        known = list[str]()
        for variant, unsuited in _variants(entry, axes, tune):
            if variant is None:
                problems += [replace(p, where=where, key=f"{key}.{p.key}") for p in unsuited]
                continue
            slug = variant.spec.name
            known.append(slug)
            missing.pop(slug, None)
            if item.only and slug not in item.only:
                continue
            if slug in variants:
                problems.append(Problem(where, key, f"{slug!r} is in the grid already", _once(item)))
            variants.setdefault(slug, replace(variant, place=index))
        for slug in missing:
            problem = f"no variant of this item, got {slug!r}"
            problems.append(Problem(where, f"{key}.only", problem, did_you_mean(slug, known)))
    return list(variants.values()), problems


def _foreign(
    entry: MethodEntry, axes: Mapping[str, tuple[object, ...]], where: str, key: str
) -> Iterator[Problem]:
    for name, values in axes.items():
        if name not in Recipe.model_fields and name not in _settings(entry):
            got = ", ".join(str(value) for value in values)
            problem = f"the method {entry.name!r} has no such setting, got {name}: {got}"
            keys = [*_settings(entry), *Recipe.model_fields]
            yield Problem(where, f"{key}.{name}", problem, did_you_mean(name, keys))


def _bad_space(
    entry: MethodEntry, axes: Mapping[str, tuple[object, ...]], tune: Tune | None, where: str, key: str
) -> Iterator[Problem]:
    """Return what a search cannot try: a key that the method lacks or no search may change, a key that is an
    axis as well, a value that the key does not accept."""
    keys = [*(name for name in _settings(entry) if name not in _NOT_SEARCHED), *TUNABLE]
    for name, values in tune.space.items() if tune is not None else ():
        at = f"{key}.tune.space.{name}"
        if name not in keys:
            yield Problem(where, at, *_no_key_of_a_search(entry, name, keys))
            continue
        for set_too in {name, SAME_THING.get(name, name)} & {k for k, v in axes.items() if v != (None,)}:
            got = ", ".join(map(str, axes[set_too]))
            problem = f"is searched, and {set_too} is set beside `tune` as well, got {got}"
            yield Problem(where, at, problem, "keep it in one of the two places")
        tried = list(values.ends if isinstance(values, Range) else values)
        _, wrong = validate(MethodItem, {"name": entry.name, name: tried})
        if wrong:
            yield Problem(where, at, wrong[0].problem, "give values that the key takes")


def _no_key_of_a_search(entry: MethodEntry, name: str, searchable: Sequence[str]) -> tuple[str, str]:
    """Return the problem and its fix."""
    if name in Recipe.model_fields or name in _settings(entry):
        problem = f"is not searched, got {name}: it is no matter of how well a method learns"
        return problem, f"set it in `recipe` or as an axis; a search takes: {', '.join(searchable)}"
    problem = f"neither a recipe key that is searched nor a setting of {entry.name!r}, got {name}"
    return problem, did_you_mean(name, searchable)


def _once(item: MethodItem) -> str:
    return f"keep one item {item.name!r}; to compare values, list them in it: learning_rate: [1e-4, 1e-3]"


def _settings(entry: MethodEntry) -> list[str]:
    return [name for name in SETTINGS[entry.settings.kind].model_fields if name != "kind"]


def _variants(
    entry: MethodEntry, axes: Mapping[str, tuple[object, ...]], tune: Tune | None
) -> Iterator[tuple[MethodVariant | None, list[FieldProblem]]]:
    """Each variant, or what is wrong with its settings taken together."""
    varied = {key for key in axes if len(axes[key]) > 1}
    for values in itertools.product(*axes.values()):
        yield _variant(dict(zip(axes, values, strict=True)), varied, entry, tune)


def _variant(
    values: dict[str, object], varied: set[str], entry: MethodEntry, tune: Tune | None
) -> tuple[MethodVariant | None, list[FieldProblem]]:
    names = _settings(entry)
    chosen = {key: value for key, value in values.items() if key in names}
    settings, problems = validate(SETTINGS[entry.settings.kind], entry.settings.model_dump() | chosen)
    if settings is None:
        return None, problems
    recipe = {key: value for key, value in values.items() if key not in names}
    parts = [entry.name]
    for name in names:
        value = getattr(settings, name)
        if name in _ALWAYS or name in varied or value != getattr(entry.settings, name):
            parts.append(_part(name, value))
    parts += [_part(name, value) for name, value in recipe.items() if name in varied]
    parts += ["tuned"] if tune is not None else []
    spec = MethodSpec.model_validate({"name": "-".join(parts), "entry": entry.name, "settings": settings})
    families = {family: patch.values() for family, patch in entry.by_family.items()}
    keys = frozenset(varied)
    return MethodVariant(spec, entry.recipe.values(), recipe, families, tune, entry, values, keys), []


def with_settings(
    variant: MethodVariant, settings: Mapping[str, object]
) -> tuple[MethodVariant, list[Problem]]:
    """Return the variant with some settings changed and the name that says so, or what is wrong with them."""
    assert variant.entry is not None
    names = _settings(variant.entry)
    unknown = [
        Problem.of_key(
            key, f"the method {variant.entry.name!r} has no such setting", did_you_mean(key, names)
        )
        for key in settings
        if key not in names
    ]
    if unknown:
        return variant, unknown
    values = variant.values | dict(settings)
    changed, problems = _variant(values, set(variant.varied), variant.entry, variant.tune)
    return (variant if changed is None else replace(changed, place=variant.place)), list[Problem](problems)


def _part(name: str, value: object) -> str:
    """`r8`, `alpha16`, `lr3e-5`: exact, so that two values never share a slug."""
    text = repr(value) if isinstance(value, float) else str(value).lower()
    return _SHORT.get(name, name) + text.removesuffix(".0").replace("e-0", "e-").replace("+", "")
