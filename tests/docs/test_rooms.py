"""ARCHITECTURE's tables of rooms: every room is there, and imports what the import rules allow."""

from __future__ import annotations

import re
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]


def _rows(title: str) -> dict[str, str]:
    """Return the cell `may import` by path, for the table whose first column has this title."""
    lines = PAGE.splitlines()
    start = lines.index(f"| {title} | what happens there | may import |") + 2
    cells = [
        line.strip("|").split("|") for line in takewhile(lambda line: line.startswith("|"), lines[start:])
    ]
    return {path.strip(" `"): imports for path, _, imports in cells}


def _module(path: str) -> str:
    path = path.rstrip("/").removesuffix(".py")
    return ("orchestrator/" + path if path.startswith("report/") else path).replace("/", ".")


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _allowed(importer: str, imported: str) -> bool:
    return not any(_forbids(contract, importer, imported) for contract in CONTRACTS)


def _forbids(contract: dict[str, Any], importer: str, imported: str) -> bool:
    if contract["type"] == "layers":
        level = {
            module.strip(): number
            for number, layer in enumerate(contract["layers"])
            for module in layer.split("|")
        }
        if not {importer, imported} <= level.keys():
            return False
        return level[imported] <= level[importer]  # the highest layer comes first
    exceptions = [rule.replace(".*", "").split(" -> ") for rule in contract.get("ignore_imports", [])]
    return (
        any(_inside(importer, module) for module in contract["source_modules"])
        and any(_inside(imported, module) for module in contract["forbidden_modules"])
        and [importer, imported] not in exceptions
    )


DRIVER = [path for path in _rows("room") if path.startswith("orchestrator/")]
REPORT, WORKERS = list(_rows("room of the report")), list(_rows("room of the workers"))
TABLES = {"room": DRIVER, "room of the report": REPORT, "room of the workers": WORKERS}


def _short(path: str) -> str:
    return Path(path).stem


@pytest.mark.parametrize(
    ("title", "path"), [(title, path) for title, paths in TABLES.items() for path in paths]
)
def test_the_table_says_what_the_linter_allows(title: str, path: str) -> None:
    others = [other for other in TABLES[title] if other != path]
    allowed = {_short(other) for other in others if _allowed(_module(path), _module(other))}
    cell = _rows(title)[path].split(";")[0]
    named = {name for name in re.findall(r"`([^`]+)`", cell) if "/" not in name}
    if "all of the above" in cell:
        named = {_short(other) for other in takewhile(lambda other: other != path, DRIVER)}
    assert named == allowed


def test_the_workers_know_the_rooms_of_the_driver_that_the_tables_name() -> None:
    rooms = {_short(path): _module(path) for path in DRIVER}
    for title, path in [("room", "workers/"), ("room of the workers", "workers/selfcheck/")]:
        cell = _rows(title)[path].split(";")[-1]
        named = set(re.findall(r"`([^`]+)`", cell)) | {"contracts", "errors"}
        assert named == {name for name, module in rooms.items() if _allowed(_module(path), module)}


def test_the_driver_reaches_the_workers_rooms_that_the_table_names() -> None:
    for path, cell in _rows("room").items():
        if "`workers/" in cell:
            assert _allowed(_module(path), "workers.runtime")
    training = [path for path in WORKERS if path not in ("workers/runtime/", "workers/selfcheck/")]
    assert [path for path in training if _allowed("orchestrator.cli", _module(path))] == []


def test_every_room_of_the_code_is_in_a_table_and_every_room_of_a_table_in_the_code() -> None:
    named = {path.rstrip("/") for path in DRIVER + WORKERS} | {
        f"orchestrator/{p}".rstrip("/") for p in REPORT
    }
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    packages = {
        str(path.parent.relative_to(ROOT))
        for package in ("orchestrator", "workers", "orchestrator/report")
        for path in (ROOT / package).glob("*/__init__.py")
    }
    in_the_sentence_below = {f"orchestrator/report/{room}" for room in ("figures", "foreign", "scores")}
    assert packages - named == in_the_sentence_below


def test_the_files_that_a_new_part_touches_are_there() -> None:
    section = PAGE.split("## Where does a new … go?")[1].split("\n## ")[0]
    paths = re.findall(r"`((?:orchestrator|workers|configs|tests)/[^`]*)`", section)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
