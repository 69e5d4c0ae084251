"""Count what makes the code easy or hard to navigate, for this checkout or for a revision.

    .venv/bin/python tests/bench/house.py            # the files of this checkout
    .venv/bin/python tests/bench/house.py b8ac7de    # the files of a revision

They are figures to look at, not limits. Only `orchestrator/` and `workers/` count, without their tests.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("orchestrator", "workers")
SETTINGS = re.compile(r"isinstance\(\s*[\w.]*settings\b")
METHODS = ("orchestrator/contracts/methods/", "workers/methods/")


def sources(revision: str | None) -> dict[str, str]:
    """Return the text of each Python file of the packages by its path below the root."""
    if revision is None:
        files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
        return {str(path.relative_to(ROOT)): path.read_text() for path in files}
    names = _git("ls-tree", "-r", "--name-only", revision, "--", *PACKAGES).splitlines()
    paths = [name for name in names if name.endswith(".py")]
    asked = "".join(f"{revision}:{path}\n" for path in paths).encode()
    command = ["git", "-C", str(ROOT), "cat-file", "--batch"]
    answer = subprocess.run(command, input=asked, capture_output=True, check=True).stdout
    return dict(_blobs(paths, answer))


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def _blobs(paths: list[str], answer: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    for path in paths:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split()[-1])
        yield path, answer[end + 1 : end + 1 + size].decode()
        at = end + 1 + size + 1


def module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(text: str) -> Iterator[str]:
    """Yield each module, or name of a module, that a file imports anywhere."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(files: Mapping[str, str]) -> Counter[str]:
    """Return by how many other modules each one is imported."""
    modules = {module(path) for path in files}
    users: dict[str, set[str]] = defaultdict(set)
    for path, text in files.items():
        for name in set(imports(text)) & modules:
            if name != module(path):
                users[name].add(path)
    return Counter({name: len(users[name]) for name in modules})


def public_names(files: Mapping[str, str]) -> dict[str, int]:
    """Return in how many modules each public class or function is defined at the top level."""
    defined: Counter[str] = Counter()
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for text in files.values():
        names = {node.name for node in ast.parse(text).body if isinstance(node, kinds)}
        defined.update(name for name in names if not name.startswith("_"))
    return dict(defined)


def long_functions(files: Mapping[str, str], limit: int) -> int:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for text in files.values() for node in ast.walk(ast.parse(text)) if isinstance(node, kinds))
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 > limit for node in nodes)


def figures(files: Mapping[str, str]) -> dict[str, int]:
    code = {path: text for path, text in files.items() if not path.endswith("__init__.py")}
    users = importers(files)
    sizes = [len(text.splitlines()) for text in code.values()]
    driver = [text for path, text in files.items() if path.startswith("orchestrator/")]
    names = public_names(files)
    classes = {name: count for name, count in names.items() if name[0].isupper()}
    tests = {
        path: len(SETTINGS.findall(text)) for path, text in files.items() if not path.startswith(METHODS)
    }
    return {
        "modules (without __init__)": len(code),
        "... imported by at most one other": sum(users[module(path)] <= 1 for path in code),
        "... over 200 lines": sum(size > 200 for size in sizes),
        "... over 250 lines": sum(size > 250 for size in sizes),
        "lines": sum(len(text.splitlines()) for text in files.values()),
        "functions over 50 lines": long_functions(files, 50),
        "`found =`": sum(len(re.findall(r"\bfound\b[^=\n]*=(?!=)", text)) for text in files.values()),
        "... at the beginning of a line": sum(
            len(re.findall(r"(?m)^\s*found = ", text)) for text in files.values()
        ),
        "lines with Any in orchestrator": sum(
            bool(re.search(r"\bAny\b", line)) for text in driver for line in text.splitlines()
        ),
        "public classes defined in more than one module": sum(count > 1 for count in classes.values()),
        "public functions defined in more than one module": sum(
            count > 1 for name, count in names.items() if name not in classes
        ),
        "isinstance(settings, ...) outside the methods' folders": sum(tests.values()),
        "... modules with one": sum(count > 0 for count in tests.values()),
    }


def main() -> None:
    revision = sys.argv[1] if len(sys.argv) > 1 else None
    counts = figures(sources(revision))
    print(f"the house at {revision or 'this checkout'}")
    for title, count in counts.items():
        print(f"{count:8,}  {title}")


if __name__ == "__main__":
    main()
