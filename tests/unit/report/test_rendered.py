"""A report that has not changed is not drawn again; one that has, or whose files were touched, is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder

from orchestrator.contracts import layout
from orchestrator.report import Report, build_report, write_changed_report, write_report


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    ledger = LedgerBuilder(tmp_path, "drawn")
    ledger.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11])
    ledger.finish_all()
    return ledger


def report_of(built: LedgerBuilder) -> Report:
    return build_report(built.ledger.sweep(), built.ledger.trials())


def times(directory: Path) -> dict[str, int]:
    """When each file of the report was written."""
    return {path.name: path.stat().st_mtime_ns for path in (directory / layout.REPORT).iterdir()}


def test_the_same_report_leaves_its_files_alone(built: LedgerBuilder) -> None:
    directory = built.ledger.directory
    paths = write_changed_report(report_of(built), directory)
    before = times(directory)
    assert write_changed_report(report_of(built), directory) == paths
    assert times(directory) == before
    assert {path.name for path in paths.values()} == set(before)


def test_a_new_result_writes_all_files(built: LedgerBuilder) -> None:
    directory = built.ledger.directory
    write_changed_report(report_of(built), directory)
    before = times(directory)
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11, 12])
    built.finish_all()
    write_changed_report(report_of(built), directory)
    assert all(written > before[name] for name, written in times(directory).items())


@pytest.mark.parametrize("name", ["report.html", "frontier.csv"])
def test_a_file_that_is_gone_or_was_edited_is_written_again(built: LedgerBuilder, name: str) -> None:
    directory = built.ledger.directory
    path = directory / layout.REPORT / name
    write_changed_report(report_of(built), directory)
    content = path.read_bytes()
    path.write_text("edited")
    write_changed_report(report_of(built), directory)
    assert path.read_bytes() == content
    path.unlink()
    write_changed_report(report_of(built), directory)
    assert path.read_bytes() == content


@pytest.mark.parametrize("damaged", ["", "{}", '{"made_from": 1, "files": {}}'])
def test_a_damaged_memory_counts_as_none(built: LedgerBuilder, damaged: str) -> None:
    directory = built.ledger.directory
    write_changed_report(report_of(built), directory)
    (directory / layout.RENDERED).write_text(damaged)
    before = times(directory)
    write_changed_report(report_of(built), directory)
    assert all(written > before[name] for name, written in times(directory).items())


def test_a_report_that_the_user_asks_for_is_always_written(built: LedgerBuilder) -> None:
    directory = built.ledger.directory
    write_changed_report(report_of(built), directory)
    before = times(directory)
    write_report(report_of(built), directory / layout.REPORT)
    assert all(written > before[name] for name, written in times(directory).items())
