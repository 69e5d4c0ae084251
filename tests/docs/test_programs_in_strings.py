"""Programs that tests hand to another Python as text: what they import from Frontier is there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Its program imports a method that the test itself adds to a copy of the packages.
ADDS_MODULES = "test_new_method.py"


def _programs(file: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield place and syntax tree of each string in a file that is a program and imports Frontier."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str) and "import " in node.value):
            continue
        try:
            program = ast.parse(node.value)
        except SyntaxError:
            continue
        if any(_imports(program)):
            yield f"{file.relative_to(ROOT)}:{node.lineno}", program


def _imports(program: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Yield module and name, where there is one, of each import from Frontier."""
    for node in ast.walk(program):
        if isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            yield from ((node.module, name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((name.name, None) for name in node.names if _is_ours(name.name))


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in {"orchestrator", "workers"}


def _exists(module: str, name: str | None) -> bool:
    try:
        loaded = importlib.import_module(module)
        return name is None or hasattr(loaded, name) or bool(importlib.util.find_spec(f"{module}.{name}"))
    except ImportError:
        return False


def test_what_programs_in_strings_import_exists() -> None:
    """Neither the type checker nor the linter looks into them."""
    files = [
        file for folder in ("tests", "orchestrator", "workers") for file in (ROOT / folder).rglob("*.py")
    ]
    programs = [program for file in files if file.name != ADDS_MODULES for program in _programs(file)]
    assert len(programs) > 10
    missing = [
        f"{place}: {module}{'.' + name if name else ''}"
        for place, program in programs
        for module, name in _imports(program)
        if not _exists(module, name)
    ]
    assert missing == []
