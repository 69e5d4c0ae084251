"""Figures for papers: each task has its own, fonts inside, the same bytes from the same report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder, task

from orchestrator.report import Report, build_report, with_curves
from orchestrator.report.figures import write_figures


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    built = LedgerBuilder(tmp_path_factory.mktemp("figures"))
    built.plan(domains=["general"], tasks=[task("triage", invented=False)], seeds=[11, 12])
    built.finish_all()
    return with_curves(build_report(built.ledger.sweep(), built.ledger.trials()), built.ledger)


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "frontier-gone.pdf").write_text("of an earlier report")
    (folder / "notes.txt").write_text("of the user")
    write_figures(report, folder)
    return folder


def test_each_figure_is_there_in_three_formats_and_earlier_ones_are_gone(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    for figure in (
        "frontier-triage-device_hours",
        "frontier-triage-wall_time",
        "quality-triage",
        "curves-triage",
    ):
        assert {f"{figure}.pdf", f"{figure}.svg", f"{figure}.png"} <= names
    assert "frontier-gone.pdf" not in names
    assert "notes.txt" in names


def test_fonts_are_inside_and_no_date_is(folder: Path) -> None:
    pdf = (folder / "frontier-triage-device_hours.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # TrueType
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    svg = (folder / "frontier-triage-device_hours.svg").read_text()
    assert "<text" not in svg  # letters are outlines
    assert "<dc:date>" not in svg


def test_the_same_report_gives_the_same_bytes(report: Report, folder: Path, tmp_path: Path) -> None:
    again = {path.name: path.read_bytes() for path in write_figures(report, tmp_path)}
    assert again == {name: (folder / name).read_bytes() for name in again}
    assert len(again) >= 12


def test_guessing_that_is_far_below_does_not_stretch_the_figure(report: Report, tmp_path: Path) -> None:
    heights = set[str]()
    for guessed in ({}, {report.tasks[0].metric: 0.0}):
        tasks = tuple(task.model_copy(update={"guessing": guessed}) for task in report.tasks)
        write_figures(report.model_copy(update={"tasks": tasks}), tmp_path)
        drawn = (tmp_path / "frontier-triage-device_hours.svg").read_text()
        heights.update(re.findall(r'<svg [^>]*height="([\d.]+pt)"', drawn))
        assert ("guessing" in drawn) is bool(guessed)
    assert len(heights) == 1
