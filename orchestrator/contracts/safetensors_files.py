"""Which files of a folder hold its weights, and what their headers say. Read without torch.

A safetensors file begins with the length of its header (8 bytes, little-endian). The header is a JSON object
that names each tensor with its shape and the place of its bytes behind the header.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import Problem

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
_POINTER = b"version https://git-lfs.github.com/spec/v1"
_LONGEST_HEADER = 100_000_000  # bytes: the format's own limit
_SHORT = 1024  # bytes: no pointer of git-lfs is longer
READ = frozenset({".json", ".txt", ".model", ".safetensors"})  # endings: configuration, tokenizer, weights
_AGAIN = "fetch or make it again"
_MOST = 3  # names that are listed
_BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

Shapes = dict[str, tuple[int, ...]]


@dataclass
class WeightFiles:
    """The safetensors files that are read, the shapes of their tensors by name, and what is wrong."""

    paths: list[Path] = field(default_factory=list)
    shapes: Shapes = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def has_weights(directory: Path) -> bool:
    """Return whether the folder holds weights, whole or not: a safetensors file, or an index that names
    some."""
    return (directory / INDEX).is_file() or any(directory.glob("*.safetensors"))


def find_weights(where: str, directory: Path, fix: str) -> WeightFiles:
    """Return the files that transformers would read: model.safetensors, else the shards of its index.

    `where` names the backbone in problems; `fix` says how to get safetensors where there are none. Raises
    OSError where a file cannot be opened.
    """
    files = WeightFiles()
    pointers = {path.name for path in pointers_of_lfs(directory)}
    if (directory / SINGLE).is_file():
        names: dict[str, list[str]] = {SINGLE: []}
    elif INDEX in pointers:
        names = {}
    elif (directory / INDEX).is_file():
        names = _shards(where, directory, files.problems)
    else:
        names = {}
        files.problems.append(_no_weights(where, directory, fix))
    for name in sorted(names.keys() - pointers):
        try:
            shapes = header(directory / name)
        except ValueError as broken:
            files.problems.append(Problem(f"{where}/{name}", "", str(broken), _AGAIN))
            continue
        if absent := [tensor for tensor in names[name] if tensor not in shapes]:
            problem = f"lacks {len(absent):,} of the tensors that {INDEX} says it has: {listed(absent)}"
            files.problems.append(Problem(f"{where}/{name}", "", problem, _AGAIN))
        files.paths.append(directory / name)
        files.shapes |= shapes
    return files


def pointers_of_lfs(directory: Path) -> Iterator[Path]:
    """Return the files whose content git-lfs has not fetched."""
    for path in sorted(directory.iterdir()):
        if path.suffix in READ and path.is_file() and path.stat().st_size < _SHORT:
            with path.open("rb") as stream:
                if stream.read(len(_POINTER)) == _POINTER:
                    yield path


def header(file: Path) -> Shapes:
    """Return the shapes of the tensors by name. Raises ValueError with what is wrong with the file."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(f"is not a whole safetensors file: its {size:,} bytes end inside the header")
        if length > _LONGEST_HEADER:
            raise ValueError(
                f"is not a safetensors file: expected a header of at most 100 MB, got {length:,}"
            )
        text = stream.read(length)
    try:
        entries = json.loads(text)
        entries.pop("__metadata__", None)
        shapes = {name: tuple(map(int, entry["shape"])) for name, entry in entries.items()}
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except _BROKEN as broken:
        raise ValueError("is not a safetensors file: its header cannot be read") from broken
    if size != 8 + length + end:
        raise ValueError(
            f"is not a whole safetensors file: expected {8 + length + end:,} bytes, got {size:,}"
        )
    return shapes


def listed(names: list[str]) -> str:
    """List the first few names."""
    more = len(names) - _MOST
    return ", ".join(sorted(names)[:_MOST]) + (f" and {more:,} more" if more > 0 else "")


def _shards(place: str, directory: Path, problems: list[Problem]) -> dict[str, list[str]]:
    """Return the names of the tensors by file; missing files are left out."""
    where = f"{place}/{INDEX}"
    try:
        weight_map: Any = json.loads((directory / INDEX).read_bytes())["weight_map"]
        pairs = {str(tensor): str(file) for tensor, file in weight_map.items()}
    except _BROKEN:
        problems.append(Problem(where, "weight_map", "is not a mapping of tensors to files", _AGAIN))
        return {}
    shards: dict[str, list[str]] = {}
    for tensor, file in pairs.items():
        shards.setdefault(file, []).append(tensor)
    foreign = [name for name in shards if Path(name).name != name or not name.endswith(".safetensors")]
    if foreign:
        problem = f"names {listed(foreign)}, and only *.safetensors of the same folder are read"
        problems.append(Problem(where, "weight_map", problem, "convert the weights to safetensors"))
    absent = [name for name in shards.keys() - set(foreign) if not (directory / name).is_file()]
    if absent:
        problem = f"names {len(shards):,} files, and {len(absent):,} are missing: {listed(absent)}"
        problems.append(Problem(where, "weight_map", problem, "copy or fetch the missing files"))
    return {name: shards[name] for name in shards.keys() - set(foreign) - set(absent)}


def _no_weights(where: str, directory: Path, fix: str) -> Problem:
    others = sorted(path.name for path in directory.glob("*.safetensors"))
    if (directory / ADAPTER).is_file():
        problem = f"holds an adapter ({ADAPTER}) and no {SINGLE}"
        fix = "merge the adapter into its base (merge_and_unload, then save_pretrained), or name the base"
    elif others:
        problem = f"holds neither {SINGLE} nor {INDEX}, only {listed(others)}"
        fix = f"rename the file to {SINGLE}, or add the index of its shards"
    else:
        pickles = sorted(path.name for path in directory.glob("*.bin"))
        held = f"only {listed(pickles)}" if pickles else "no weights"
        problem = f"holds {held}, and no *.safetensors; other formats can run code when they are read"
    return Problem(where, "", problem, fix)
