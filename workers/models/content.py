"""Check that the files of a backbone are identical to the locked ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.files import sha256_of
from orchestrator.contracts.safetensors_files import READ
from orchestrator.errors import WeightsError

_SHOWN = 12  # hex digits


def check_content(spec: BackboneSpec, directory: Path, expected: Mapping[str, str]) -> None:
    """Raise WeightsError if a file that may be read differs from `expected` (sha256 by name) or is not named
    there: a library would read it anyway."""
    for name, digest in sorted(expected.items()):
        if Path(name).suffix in READ:
            check_file(spec, directory / name, digest)
    extra = sorted(p.name for p in directory.iterdir() if p.suffix in READ and p.name not in expected)
    if extra:
        problem = f"is an extra file, expected the same files {_where(spec)}"
        raise WeightsError(
            f"backbone {spec.name}: {directory / extra[0]} {problem}\n    -> remove it, {_or_take_it(spec)}"
        )


def check_file(spec: BackboneSpec, path: Path, digest: str) -> None:
    """Raise WeightsError if the file is missing or has another sha256."""
    actual = sha256_of(path) if path.is_file() else None
    if actual == digest:
        return
    problem = "is missing" if actual is None else f"has sha256 {actual[:_SHOWN]}…"
    again = (
        f"remove {path.parents[2]} and stage again" if isinstance(spec.weights, HubWeights) else "restore it"
    )
    raise WeightsError(
        f"backbone {spec.name}: {path} {problem}, expected {digest[:_SHOWN]}… {_where(spec)}\n"
        f"    -> {again}; {_or_take_it(spec)}"
    )


def _where(spec: BackboneSpec) -> str:
    return "as in the lock file" if isinstance(spec.weights, HubWeights) else "as when the run began"


def _or_take_it(spec: BackboneSpec) -> str:
    if isinstance(spec.weights, HubWeights):
        return "or, if these weights are the ones you want, remove its entry in the lock file"
    return "or run again, if these weights are the ones you want"
