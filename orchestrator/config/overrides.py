"""`axis=value` arguments of the command line, laid over a sweep file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.config.catalogue import is_price_file
from orchestrator.config.recipes import RecipePatch
from orchestrator.config.resources import AutoResources
from orchestrator.config.schema import SpendingLimit, SweepConfig
from orchestrator.config.yaml_files import parse
from orchestrator.contracts.record import Record
from orchestrator.contracts.trial import Resources
from orchestrator.errors import Complaint, did_you_mean

WHERE = "command line"

_LISTS = frozenset({"models", "domains", "methods", "tasks", "seeds", "catalogues", "rules"})
_NESTED: dict[str, type[Record]] = {"recipe": RecipePatch, "resources": Resources, "budget": SpendingLimit}
_OPEN = frozenset({"axes", "storage_options"})  # what may stand in them is checked with the file
_PATHS = frozenset({"data_dir", "catalogues"})


def apply(raw: dict[str, Any], overrides: Sequence[str], cwd: Path) -> tuple[frozenset[str], list[Complaint]]:
    """Sets the keys in `raw`; returns them, dotted, with the complaints about the arguments.

    A value is YAML. For a key that holds a list, `models=tiny,base` and `models=[tiny, base]` are the same.
    Paths are relative to `cwd` here, and to the file when they stand in it.
    """
    done, complaints = set[str](), list[Complaint]()
    for argument in overrides:
        key, equals, text = argument.partition("=")
        if not equals:
            remedy = "write axis=value, say seeds=[1,2] or recipe.epochs=3"
            complaints.append(Complaint(WHERE, "", f"not an override, got {argument!r}", remedy))
            continue
        if key in done:
            complaints.append(Complaint(WHERE, key, f"stands twice, got {argument!r}", "keep one of the two"))
            continue
        parent, _, leaf = key.rpartition(".")
        known = _known(parent)
        if leaf not in known and parent not in _OPEN:
            close = did_you_mean(
                key, [*SweepConfig.model_fields, *(f"{parent}.{k}" for k in known if parent)]
            )
            complaints.append(Complaint(WHERE, key, f"unknown key, got {argument!r}", close))
            continue
        listed = key in _LISTS and not text.startswith("[")
        value, wrong = parse(f"[{text}]" if listed else text, WHERE, key)
        complaints += wrong
        if not wrong:
            _set(raw, parent, leaf, _absolute(value, cwd) if _is_path(key, value) else value)
            done.add(key)
    return frozenset(done), complaints


def _is_path(key: str, value: Any) -> bool:
    return key in _PATHS or (key == "prices" and isinstance(value, str) and is_price_file(value))


def _known(parent: str) -> list[str]:
    if not parent:
        return list(SweepConfig.model_fields)
    if parent == "resources":
        return [*Resources.model_fields, *AutoResources.model_fields]
    return list(_NESTED[parent].model_fields) if parent in _NESTED else []


def _set(raw: dict[str, Any], parent: str, leaf: str, value: Any) -> None:
    if parent and not isinstance(raw.get(parent), dict):
        raw[parent] = {}
    (raw[parent] if parent else raw)[leaf] = value


def _absolute(value: Any, cwd: Path) -> Any:
    if isinstance(value, list):
        return [_absolute(item, cwd) for item in value]
    return str(cwd / Path(value).expanduser()) if isinstance(value, str) else value
