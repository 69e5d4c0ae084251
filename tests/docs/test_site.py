"""The documentation site: its commands parse, and its generated pages have what they are generated from."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.cli.app import app
from orchestrator.config import load_catalogue, sweep_schema, task_schema

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
COMMANDS = [
    (page, line)
    for page in [*PAGES, ROOT / "README.md", ROOT / "configs" / "README.md"]
    for block in re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("frontier ")
]


@pytest.fixture(scope="module")
def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "line"), COMMANDS, ids=[f"{page.stem}-{number}" for number, (page, _) in enumerate(COMMANDS)]
)
def test_each_command_of_a_page_parses(page: Path, line: str) -> None:
    """The command exists, and so do its options."""
    words = shlex.split(line.split("  ")[0])[1:]  # what two spaces separate is its description
    command: Any = typer.main.get_command(app)
    if words[0].startswith("-") or "|" in words[0]:
        return
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not getattr(command, "commands", {}), f"{page.name}: {line}"
    command.make_context("frontier", words, resilient_parsing=True)


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    assert {str(page.relative_to(ROOT / "docs")) for page in PAGES} <= set(
        re.findall(r"[\w/-]+\.md", navigation)
    )


def test_the_reference_has_every_key_command_and_entry(reference: Any) -> None:
    for schema in (sweep_schema(), task_schema()):
        keys = reference.schema_page("The file", "frontier schema", schema)
        assert all(f"| `{key}` |" in keys for key in schema["properties"])
    commands = reference.commands_page()
    assert all(
        f"## frontier {name}" in commands
        for name in typer.main.get_command(app).commands
        if name not in ("task", "backbone")
    )  # type: ignore[attr-defined]
    catalogue = load_catalogue()
    page = reference.catalogue_page()
    assert all(f"`{name}`" in page for name in (*catalogue.methods, *catalogue.tasks))
    assert all(f"| {entry.name} |" in page for entry in catalogue.backbones.values())
