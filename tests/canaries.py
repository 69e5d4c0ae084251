"""Marked strings in the place of text, and the search for them in what a process leaves behind."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from orchestrator.contracts.layout import SENSITIVE

PLANTED = Path(__file__).with_name("planted")


def planted(*modules: str) -> dict[str, str]:
    """Return the environment in which processes of these modules have the defects of `planted`."""
    return {"PYTHONPATH": str(PLANTED), "FRONTIER_CANARIES": " ".join(modules)}


def forms(marker: str) -> dict[str, bytes]:
    """Return the ways in which a marker may be written down, by name. Letters are compared in lower case but
    in base64."""
    text = marker.encode()
    found = {
        "plain": text.lower(),
        "UTF-16": marker.lower().encode("utf-16-le"),
        "hexadecimal": text.hex().encode(),
        "sha256": hashlib.sha256(text).hexdigest().encode(),
        "sha1": hashlib.sha1(text, usedforsecurity=False).hexdigest().encode(),
        "md5": hashlib.md5(text, usedforsecurity=False).hexdigest().encode(),
    }
    for shift in range(3):  # what base64 makes of it depends on what is before it
        whole = base64.b64encode(b"." * shift + text)
        found[f"base64, {shift}"] = whole[4 if shift else 0 : -4]
    return found


def hits(content: bytes, markers: Iterable[str]) -> list[str]:
    """Return which markers are in the content, each with the form in which it is."""
    lower = content.lower()
    return [
        f"{marker} ({form})"
        for marker in markers
        for form, needle in forms(marker).items()
        if needle in (content if form.startswith("base64") else lower)
    ]


def found(root: Path, markers: Iterable[str], apart: Iterable[Path] = ()) -> dict[str, list[str]]:
    """Return the hits in the names and contents of all files below `root`, by path. Left out are the folders
    where words may be, and those `apart`."""
    markers, apart = list(markers), set(apart)
    hit: dict[str, list[str]] = {}
    for path in _files(root, apart):
        name = os.fsencode(path.relative_to(root))
        content = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
        if marked := hits(name + b"\n" + content, markers):
            hit[str(path.relative_to(root))] = marked
    return hit


def _files(root: Path, apart: set[Path]) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name == SENSITIVE or path in apart:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, apart)


def in_processes(pids: Iterable[int], markers: Iterable[str]) -> Mapping[str, list[str]]:
    """Return the hits in the arguments, environments and titles of processes, which others may read."""
    return {
        f"{pid}/{name}": marked
        for pid in pids
        for name in ("cmdline", "environ", "comm")
        if (marked := hits(Path(f"/proc/{pid}/{name}").read_bytes(), markers))
    }
