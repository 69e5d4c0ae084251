"""Methods named on the command line, found among the file's: a name selects, a mapping replaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config.catalogue import MethodEntry
from orchestrator.config.method_items import MethodItem, RecipeAxes
from orchestrator.config.methods import expand
from orchestrator.config.problems import shown, validate


@dataclass
class Selection:
    """`places` says of each item which one of the file it is, None for one of the command line's own."""

    items: list[object] = field(default_factory=list)
    places: list[int | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # a sentence each
    names: list[str] = field(default_factory=list)  # that the file's items can be selected by


def select(
    raw: Mapping[str, object], names: Sequence[object], entries: Mapping[str, MethodEntry], file: str
) -> Selection:
    """Select the items of the file `raw` that `names` names, with all their settings.

    A name is that of a method, for all items that have it, or that of one variant of an item (`lora-r8`). A
    name that no item has is the catalogue's. What two names select is taken once. A mapping says exactly what
    it says.
    """
    listed = raw.get("methods")
    items: list[object] = listed if isinstance(listed, list) else []
    variants = [_variants(item, raw.get("axes"), entries) for item in items]
    selection = Selection(names=[*map(_name, items), *(slug for slugs in variants for slug in slugs)])
    texts = [want for want in names if isinstance(want, str)]
    complete = {index for index, item in enumerate(items) if _name(item) in texts}
    for number, want in enumerate(names):
        if isinstance(want, str) and want in names[:number]:
            continue
        matches = [index for index, item in enumerate(items) if _name(item) == want]
        of_variant = [index for index, slugs in enumerate(variants) if want in slugs]
        if isinstance(want, str) and matches:
            for index in matches:
                _add(selection, items[index], index)
        elif isinstance(want, str) and of_variant:
            index = of_variant[0]
            if index not in complete:
                _add(
                    selection, _only(items[index], want) if len(variants[index]) > 1 else items[index], index
                )
        else:
            _add(selection, want, None)
            selection.notes += _of_own(want, items, entries, Path(file).name)
    return selection


def _name(item: object) -> str:
    name = item.get("name") if isinstance(item, dict) else item
    return name if isinstance(name, str) else ""


def _variants(item: object, axes: object, entries: Mapping[str, MethodEntry]) -> list[str]:
    """Return the names of an item's variants; none if it has a problem, which validation reports."""
    checked, _ = validate(MethodItem, {"name": item} if isinstance(item, str) else item)
    shared, _ = validate(RecipeAxes, axes if isinstance(axes, dict) else {})
    if checked is None:
        return []
    return [variant.spec.name for variant in expand([checked], entries, "", shared)[0]]


def _only(item: object, slug: str) -> dict[str, object]:
    return {**(item if isinstance(item, dict) else {"name": item}), "only": [slug]}


def _add(selection: Selection, item: object, index: int | None) -> None:
    selection.items.append(item)
    selection.places.append(index)


def _of_own(
    want: object, items: Sequence[object], entries: Mapping[str, MethodEntry], file: str
) -> list[str]:
    """Return notes on an item that is not in the file."""
    if isinstance(want, str):
        return [f"{want} is not in {file}: added with the catalogue's settings"] if want in entries else []
    if not isinstance(want, dict):
        return []
    lost = [
        f"{key}: {shown(value)}"
        for item in items
        if isinstance(item, dict) and _name(item) == _name(want)
        for key, value in item.items()
        if key not in want
    ]
    return (
        [f"methods={shown(want)} replaces {_name(want)} of {file}, without {', '.join(lost)}"] if lost else []
    )
