"""Documents that cannot lie: commands exist, links resolve, every entry of the catalogue loads."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orchestrator.config import load_catalogue, load_sweep
from orchestrator.config.catalogue import builtin_catalogue

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "configs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
    if path.is_file()
)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
SWEEPS = sorted((ROOT / "configs" / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(document: Path) -> None:
    links = LINK.findall(document.read_text())
    targets = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist(document: Path) -> None:
    """Every `make target` and `frontier verb` in a code block or in back-ticks."""
    text = document.read_text()
    code = "\n".join(re.findall(r"```(?:\w*)\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    verbs = set(_verbs())
    assert set(re.findall(r"(?m)^make ([a-z]+)", code)) <= targets
    assert set(re.findall(r"(?m)^frontier ([a-z]+)", code)) <= verbs


def test_every_test_that_security_names_is_there() -> None:
    named = re.findall(r"tests/[\w/]+\.py", (ROOT / "SECURITY.md").read_text())
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def _verbs() -> list[str]:
    import typer

    from orchestrator.cli.app import app

    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda p: p.stem)
def test_every_sweep_loads(sweep: Path, tmp_path: Path) -> None:
    resolved = load_sweep(sweep, [], cwd=tmp_path)
    assert resolved.config.name == sweep.stem
    assert resolved.grid.cells


def test_every_file_of_the_catalogue_is_an_entry() -> None:
    catalogue = load_catalogue()
    root = builtin_catalogue()
    names = {
        "backbones": {b.name for b in catalogue.backbones.values()},
        "methods": set(catalogue.methods),
        "tasks": set(catalogue.tasks),
        "prices": set(catalogue.prices),
    }
    for kind, known in names.items():
        assert {path.stem for path in (root / kind).glob("*.yaml")} == known


def test_ray_has_one_version() -> None:
    pinned = next(
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("ray==")
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = next(d for d in project["dependencies"] if d.startswith("ray"))
    assert declared.split("==")[1] == pinned.split("==")[1]


def test_the_driver_is_quick_to_start_and_loads_nothing_heavy() -> None:
    """`frontier plan` on a laptop: no ray, mlflow, torch or transformers in the process."""
    rooms = ", ".join(f"orchestrator.{room}" for room in ("cli.app", "planning", "execution", "report"))
    heavy = ("ray", "mlflow", "torch", "transformers", "peft")
    code = f"import sys, {rooms}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
