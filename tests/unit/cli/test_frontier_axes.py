"""`frontier report --axes`, through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.results.frontier import parse_axes
from orchestrator.errors import ConfigError


@pytest.fixture
def sweep(tmp_path: Path) -> str:
    builder = LedgerBuilder(tmp_path)
    builder.plan()
    builder.finish_all()
    return str(builder.ledger.directory)


def test_a_frontier_of_three_axes_is_printed_and_stands_in_the_json(sweep: str) -> None:
    axes = "peak_memory,quality,trainable_parameters"
    done = CliRunner().invoke(app, ["report", sweep, "--axes", axes])
    assert done.exit_code == 0, done.output
    assert "frontier of quality and peak memory and trained parameters" in done.output.replace("\n", " ")
    done = CliRunner().invoke(app, ["report", sweep, "--axes", axes, "--json"])
    views = json.loads(done.output)["tasks"][0]["frontiers"]
    assert views[0]["axes"] == ["quality", "device_hours"]
    [asked] = [v for v in views if v["axes"] == ["quality", "peak_memory", "trainable_parameters"]]
    assert asked["members"]
    assert asked["hypervolume"] is None


def test_an_axis_that_no_result_tells_gives_an_empty_frontier_and_says_why(sweep: str) -> None:
    done = CliRunner().invoke(app, ["report", sweep, "--axes", "quality,energy"])
    assert done.exit_code == 0, done.output
    assert "No cell has a figure on all of these axes." in done.output
    assert "8 cells have no value for energy of a trial" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("quality,peak_memry", "did you mean 'peak_memory'?"),
        ("latency,energy", "quality is missing"),
        ("quality", "name quality and one or two other axes"),
        ("quality,energy,energy", "each once"),
        ("quality,energy,latency,money", "name quality and one or two other axes"),
    ],
)
def test_mistakes_are_named_with_a_remedy(sweep: str, words: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_axes(words)
    assert said in str(caught.value)
    assert "--axes" in str(caught.value)
