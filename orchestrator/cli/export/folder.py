"""An exported folder, as `predict` and `evaluate` find it: whole and unchanged, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from orchestrator.contracts.exported import BASE, MANIFEST, Exported
from orchestrator.contracts.files import sha256_of
from orchestrator.errors import ConfigError, Problem

_EXPORT = "write one with `frontier export SWEEP --out DIR`"
_SHOWN = 12  # hex digits
# Endings of what the libraries read of a folder: an adapter beside a whole model, or a pickle, which can run
# code.
_READ = frozenset({".json", ".txt", ".model", ".safetensors", ".py"})
_PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})


def read_exported(folder: Path) -> Exported:
    """Return the manifest of the folder. Raises ConfigError where it is no export, where files are missing or
    differ from those that were exported, or where others that would be read were added."""
    try:
        exported = Exported.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        missing = f"{MANIFEST} is missing" if folder.is_dir() else "there is no such folder"
        raise ConfigError([Problem(str(folder), "", f"is no exported model: {missing}", _EXPORT)]) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        problem = f"cannot be read as the manifest of an export ({first['type']})"
        fix = "export the model again, with this version of Frontier"
        raise ConfigError([Problem(str(folder / MANIFEST), key, problem, fix)]) from None
    if problems := [*_changed(folder, exported), *_added(folder, exported)]:
        raise ConfigError(problems)
    return exported


def _changed(folder: Path, exported: Exported) -> Iterator[Problem]:
    for name, digest in exported.files.items():
        path = folder / name
        actual = sha256_of(path) if path.is_file() else None
        if actual != digest:
            is_now = "is missing" if actual is None else f"has sha256 {actual[:_SHOWN]}…"
            problem = f"{is_now}, expected {digest[:_SHOWN]}… as in {MANIFEST}"
            yield Problem(str(path), "", problem, "copy the folder again, or export the model again")


def _added(folder: Path, exported: Exported) -> Iterator[Problem]:
    """Yield a problem for each file that was not exported and that the libraries would read."""
    for path in sorted([*folder.glob("*"), *(folder / BASE).glob("*")]):
        name = path.relative_to(folder).as_posix()
        if name not in exported.files and name != MANIFEST and path.suffix.lower() in _READ | _PICKLED:
            problem = f"was not exported: {MANIFEST} does not list it"
            yield Problem(str(path), "", problem, "move it out of the folder, or export the model again")
