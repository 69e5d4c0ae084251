"""What differs between the objects that a sweep would be submitted with and those that run."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cluster.documents import KubeObject, get, mapping
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.cluster.render import FILE, Rendered
from orchestrator.config.yaml_sources import parse_yaml

_MOST = 12


def manifest_differences(rendered: Rendered, job: KubeObject, config_map: KubeObject | None) -> list[str]:
    """Return a line per difference, at most a dozen. `job` and `config_map` are the live ones. What the
    cluster fills in itself is no difference: only what we set is compared."""
    changes: list[str] = []
    if config_map is not None:
        changes += _of_data(mapping(rendered.config_map.get("data")), mapping(config_map.get("data")))
    name = get(rendered.config_map, "metadata", "name")
    lines = list(_changes(rendered.ray_job.get("spec"), job.get("spec"), ""))
    changes += [line for line, value in lines if value != name and not line.startswith("suspend")]
    if len(changes) > _MOST:
        changes[_MOST:] = [f"… and {len(changes) - _MOST} more"]
    return changes


def _of_data(ours: KubeObject, live: KubeObject) -> Iterator[str]:
    for key in sorted({*ours, *live}):
        if key == FILE and key in ours and key in live:
            (new, _), (old, broken) = parse_yaml(ours[key], key), parse_yaml(live[key], key)
            if broken:
                yield f"{key}: is no YAML there"
            yield from (line for line, _ in _both_ways(new, old))
        elif ours.get(key) != live.get(key):
            yield f"{key.replace('--', '/')}: another text"


def _both_ways(new: object, old: object) -> Iterator[tuple[str, object]]:
    yield from _changes(new, old, "")
    if isinstance(new, dict) and isinstance(old, dict):
        yield from ((f"{key}: {_short(old[key])} -> not set", None) for key in sorted(set(old) - set(new)))


def _changes(new: object, old: object, path: str) -> Iterator[tuple[str, object]]:
    """(line, new value) for each leaf of `new` that `old` lacks or has otherwise."""
    if isinstance(new, dict) and isinstance(old, dict):
        for key in sorted(new):
            yield from _changes(new[key], old.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (mine, theirs) in enumerate(zip(new, old, strict=True)):
            yield from _changes(mine, theirs, f"{path}[{index}]")
    elif new != old and not (new in ({}, []) and old is None) and not _same_amount(new, old):
        yield f"{path}: {_short(old)} -> {_short(new)}", new


def _same_amount(new: object, old: object) -> bool:
    amount = parse_quantity(new)
    return amount is not None and amount == parse_quantity(old)


def _short(value: object) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
