"""The paths of generated weights and generated data, and their identity: the digest of what was asked for and
of the code that makes it. It is the same before and after they are made, so a plan knows it without making
anything."""

from __future__ import annotations

import ast
import gc
import hashlib
import json
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from orchestrator.contracts.backbone import MadeWeights, RandomWeights
from orchestrator.contracts.task import TaskSpec

_TASK_FIELDS = {"kind", "reader", "made", "labels", "negative_label"}


def code_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of Python sources by file name, without comments, docstrings and layout."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name}\0{_code(file.read_bytes())}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)  # all of workers/ takes most of a second, and who plans twice reads the same again
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


@cache
def generator_digest() -> str:
    """Return the digest of the code in `workers/demo`, without importing it."""
    package = find_spec("workers")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the package workers is not installed beside orchestrator")
    return code_digest((Path(package.submodule_search_locations[0]) / "demo").glob("*.py"))


def made_digest(spec: MadeWeights | RandomWeights | TaskSpec) -> str:
    """Return the identity of generated weights, or of the files of a task with generated data."""
    fields = _TASK_FIELDS if isinstance(spec, TaskSpec) else None
    canonical = json.dumps(spec.model_dump(mode="json", include=fields), sort_keys=True)
    return hashlib.sha256(f"{canonical}\0{generator_digest()}".encode()).hexdigest()


def made_root(cache_dir: Path, spec: MadeWeights | RandomWeights | TaskSpec) -> Path:
    """Return the directory of the weights, or the root of the task's reader. It appears complete or not at
    all."""
    return cache_dir / "made" / made_digest(spec)
