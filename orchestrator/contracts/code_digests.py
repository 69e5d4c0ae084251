"""The identity of Python sources: a digest that comments, docstrings and layout do not change.

Parsing all of workers/ takes most of a second, so a digest can be remembered by the bytes it was made from.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from orchestrator.contracts.files import write_atomically

_NAME = "code-digests.json"
_MOST = 64  # digests kept, the newest ones
_Sources = Sequence[tuple[str, bytes]]  # by file name


class _Memory:
    """Digests by what they were made from; in a file of `directory`, once one is set."""

    def __init__(self) -> None:
        self.directory: Path | None = None

    def of(self, sources: _Sources) -> str:
        key = _key(sources)
        kept = self._read()
        if key not in kept:
            kept[key] = _digest(sources)
            self._write(kept)
        return kept[key]

    def _read(self) -> dict[str, str]:
        if self.directory is None:
            return {}
        try:
            kept = json.loads((self.directory / _NAME).read_bytes())
        except (OSError, ValueError):
            return {}
        valid = isinstance(kept, dict) and all(isinstance(digest, str) for digest in kept.values())
        return kept if valid else {}

    def _write(self, kept: dict[str, str]) -> None:
        if self.directory is None:
            return
        with suppress(OSError):  # computed again the next time
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self.directory / _NAME, json.dumps(dict(list(kept.items())[-_MOST:])))


_MEMORY = _Memory()


def remember_digests(directory: Path) -> None:
    """Keep the digests that this process computes in a file of that directory, and use those that it holds.
    The directory must belong to the account alone, because its file decides what is up to date."""
    _MEMORY.directory = directory


def code_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of Python sources by file name, without comments, docstrings and layout."""
    return _MEMORY.of([(file.name, file.read_bytes()) for file in sorted(files)])


def _key(sources: _Sources) -> str:
    """Return the SHA-256 of the bytes as they are. Python's version counts: each writes code differently."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for name, source in sources:
        digest.update(f"\0{name}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()


def _digest(sources: _Sources) -> str:
    digest = hashlib.sha256()
    for name, source in sources:
        digest.update(f"{name}\0{_code(source)}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)  # the same file is in several digests
def _code(source: bytes) -> str:
    """Return a Python source without comments, docstrings and layout."""
    tree = _parsed(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            del node.body[0]
    return ast.unparse(tree)


def _parsed(source: bytes) -> ast.Module:
    """Parse without garbage collection: in CPython 3.11 a collection that itself parses something makes
    ast.parse fail (gh-106905)."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collects:
            gc.enable()
