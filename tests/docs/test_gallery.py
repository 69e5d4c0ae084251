"""The gallery: all that it shows is what its records give, and they are of the sweep in the catalogue."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.config import load_sweep

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
PAGE = ROOT / "docs" / "gallery.md"
ELSEWHERE = {"data_dir", "storage"}  # where the sweep ran


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery's sweep with its report, computed from the records."""
    root = tmp_path_factory.mktemp("gallery")
    with tarfile.open(GALLERY / "records.tar.xz") as archive:
        archive.extractall(root, filter="data")
    words = ["report", "gallery", "--storage", str(root), "--figures"]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    (root / "gallery" / "shown.txt").write_text(shown.output, encoding="utf-8")
    return root / "gallery"


def test_the_records_are_of_the_sweep_that_comes_with_the_project(sweep: Path, tmp_path: Path) -> None:
    recorded = json.loads((sweep / "sweep.json").read_text())["config"]
    shipped = load_sweep(ROOT / "configs" / "sweeps" / "gallery.yaml", cwd=tmp_path).raw
    assert {k: v for k, v in recorded.items() if k not in ELSEWHERE} == {
        k: v for k, v in shipped.items() if k not in ELSEWHERE
    }


def test_the_table_is_that_of_the_records(sweep: Path) -> None:
    given, computed = (
        list(csv.DictReader(path.open(encoding="utf-8")))
        for path in (GALLERY / "frontier.csv", sweep / "report" / "frontier.csv")
    )
    assert [sorted(row) for row in given] == [sorted(row) for row in computed]
    for row, again in zip(given, computed, strict=True):
        for column, value in row.items():
            assert _same(value, again[column]), (column, value, again[column])


def _same(value: str, again: str) -> bool:
    """Return whether both cells say the same; another processor may round the last digits otherwise."""
    try:
        return float(value) == pytest.approx(float(again), rel=1e-6)
    except ValueError:
        return value == again


def test_the_page_shows_the_figures_of_the_report(sweep: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    pictures = re.findall(r"\]\(gallery/([\w-]+)\.svg\)", page)
    assert len(pictures) == 2
    for name in pictures:
        drawn = sweep / "report" / "figures" / f"frontier-{name}-device_hours.svg"
        assert (GALLERY / f"{name}.svg").read_bytes() == drawn.read_bytes()


def test_the_hours_of_the_page_are_those_of_the_records(sweep: Path) -> None:
    outcomes = [json.loads(path.read_text()) for path in sweep.rglob("outcome.json")]
    hours = sum(sum(outcome["phases"].values()) for outcome in outcomes) / 3600
    assert f"{len(outcomes)} training runs, {hours:.2f} core-hours" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(("document", "tables"), [(PAGE, 2), (ROOT / "README.md", 1)], ids=["page", "readme"])
def test_rows_of_tables_are_what_the_terminal_shows(sweep: Path, document: Path, tables: int) -> None:
    shown = [line.rstrip() for line in (sweep / "shown.txt").read_text(encoding="utf-8").splitlines()]
    rows = re.findall(r"^[◆◇ ]  minilm.*$", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 9 * tables
    assert [row for row in rows if row not in shown] == []


def test_the_answer_of_the_readme_is_what_the_terminal_shows(sweep: Path) -> None:
    shown = [line.rstrip() for line in (sweep / "shown.txt").read_text(encoding="utf-8").splitlines()]
    [answer] = re.findall(
        r"^The highest score is .*?(?=\n```)", (ROOT / "README.md").read_text("utf-8"), re.M | re.S
    )
    assert answer in "\n".join(shown)


def test_the_curves_that_still_rose_are_counted(sweep: Path) -> None:
    signatures = [json.loads(path.read_text())["signature"] for path in sweep.rglob("outcome.json")]
    rising = signatures.count("improving")
    words = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"Of the {len(signatures)} learning curves {rising} still rose" in words
