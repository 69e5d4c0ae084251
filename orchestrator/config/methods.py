"""From the items under `methods:` to methods with one value a setting, each with a readable slug."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.config.catalogue import MethodEntry
from orchestrator.config.schema import SETTINGS, MethodItem
from orchestrator.contracts.method import MethodSpec
from orchestrator.contracts.trial import Recipe
from orchestrator.errors import Complaint, did_you_mean

_SHORT = {"rank": "r", "learning_rate": "lr"}
_ALWAYS = ("rank",)  # a setting that readers expect to see, varied or not


@dataclass(frozen=True)
class MethodVariant:
    """One value of the methods axis, with the recipe keys of its catalogue entry and of its item."""

    spec: MethodSpec
    entry_recipe: dict[str, Any]
    item_recipe: dict[str, Any]


def expand(
    items: Sequence[MethodItem], entries: Mapping[str, MethodEntry], where: str
) -> tuple[list[MethodVariant], list[Complaint]]:
    """The variants in the order of the file, nested axes varying fastest at the last key. Unknown names are
    left out here: they are complained of with the other axes."""
    variants: dict[str, MethodVariant] = {}
    complaints: list[Complaint] = []
    for place, item in enumerate(items):
        key = f"methods.{place}"
        if item.name not in entries:
            continue
        entry, axes = entries[item.name], item.axes()
        foreign = [name for name in axes if name not in Recipe.model_fields and name not in _settings(entry)]
        for name in foreign:
            got = ", ".join(str(value) for value in axes[name])
            problem = f"the method {entry.name!r} has no such setting, got {name}: {got}"
            known = [*_settings(entry), *Recipe.model_fields]
            complaints.append(Complaint(where, f"{key}.{name}", problem, did_you_mean(name, known)))
        if foreign:
            continue
        for variant in _variants(item, entry):
            slug = variant.spec.name
            if slug in variants:
                complaints.append(Complaint(where, key, f"{slug!r} is in the grid already", _once(item)))
            variants.setdefault(slug, variant)
    return list(variants.values()), complaints


def _once(item: MethodItem) -> str:
    return f"keep one item {item.name!r}; to compare values, list them in it: learning_rate: [1e-4, 1e-3]"


def _settings(entry: MethodEntry) -> list[str]:
    return [name for name in SETTINGS[entry.settings.kind].model_fields if name != "kind"]


def _variants(item: MethodItem, entry: MethodEntry) -> list[MethodVariant]:
    axes = item.axes()
    return [
        _variant(dict(zip(axes, values, strict=True)), {k for k in axes if len(axes[k]) > 1}, entry)
        for values in itertools.product(*axes.values())
    ]


def _variant(values: dict[str, Any], varied: set[str], entry: MethodEntry) -> MethodVariant:
    names = _settings(entry)
    settings = entry.settings.model_copy(update={k: v for k, v in values.items() if k in names})
    recipe = {k: v for k, v in values.items() if k not in names}
    parts = [entry.name]
    for name in names:
        value = getattr(settings, name)
        if name in _ALWAYS or name in varied or value != getattr(entry.settings, name):
            parts.append(_part(name, value))
    parts += [_part(name, value) for name, value in recipe.items() if name in varied]
    spec = MethodSpec(name="-".join(parts), entry=entry.name, settings=settings)
    return MethodVariant(spec, entry.recipe.values(), recipe)


def _part(name: str, value: Any) -> str:
    """`r8`, `alpha16`, `lr3e-5`: exact, so that two values never share a slug."""
    text = repr(value) if isinstance(value, float) else str(value).lower()
    return _SHORT.get(name, name) + text.removesuffix(".0").replace("e-0", "e-").replace("+", "")
