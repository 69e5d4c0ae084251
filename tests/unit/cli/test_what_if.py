"""`frontier report --what-if`, through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.results.what_if import reprice
from orchestrator.contracts.price import PriceBook
from orchestrator.errors import ConfigError
from orchestrator.tracking.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    builder = LedgerBuilder(tmp_path)
    builder.plan()
    builder.finish_all()
    return builder.ledger


def test_the_report_is_written_with_it_and_prints_it(ledger: Ledger) -> None:
    words = "prices=aws-us-east-1,memory_limit_gib=8"
    done = CliRunner().invoke(app, ["report", str(ledger.directory), "--what-if", words])
    assert done.exit_code == 0, done.output
    assert "what it costs to own, in USD" in done.output
    assert "Prices: aws-us-east-1 (on demand)" in done.output
    done = CliRunner().invoke(app, ["report", str(ledger.directory), "--what-if", words, "--json"])
    found = json.loads(done.output)["what_if"]
    assert found["terms"]["memory_limit_gib"] == 8
    [task] = found["tasks"]
    assert len(task["rows"]) == 8
    assert {row["training"]["source"] for row in task["rows"]} == {"measured"}
    plain = CliRunner().invoke(app, ["report", str(ledger.directory), "--json"])
    assert json.loads(plain.output)["what_if"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("prices=aws-us-east", "did you mean 'aws-us-east-1'?"),
        ("prices=aws-us-east-1,request_per_year=5", "did you mean 'requests_per_year'?"),
        ("prices=aws-us-east-1,years", "not key=value"),
        ("prices=aws-us-east-1,years=-1", "years"),
        ("prices=aws-us-east-1,batch=two", "batch"),
        ("prices=aws-us-east-1,currency=EUR", "unknown key"),
        ("requests_per_year=5", "the sweep names none"),
        ("prices=mine.yaml", "no such file"),
        ("prices=aws-us-east-1,requests_per_year=abc", "requests_per_year: "),
        ("prices=aws-us-east-1,requests_per_year=abc", "got 'abc'"),
        ("prices=aws-us-east-1,requests_per_year=abc", "write a number"),
        ("prices=aws-us-east,requests_per_year=abc", "2 mistakes in the input"),
        ("prices=aws-us-east-1,device=NVIDIA A10", "did you mean 'NVIDIA A10G'?"),
    ],
)
def test_what_is_wrong_in_it_is_told_before_anything_is_written(
    ledger: Ledger, words: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        reprice(ledger, words)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_prices_of_the_sweep_are_the_ones_that_are_meant(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    builder.plan()
    assert builder.sweep is not None
    named = builder.sweep.model_copy(update={"config": {"prices": "gcp-us-central1"}})
    builder.ledger.write_sweep(named)
    assert reprice(builder.ledger, "requests_per_year=1e6").terms.currency == "USD"


def test_without_a_name_prices_are_those_of_the_launch_though_their_file_is_gone(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    builder.plan()
    builder.finish_all()
    assert builder.sweep is not None
    devices = {"cpu": {"on_demand": 1}}
    book = PriceBook.model_validate(
        {"name": "mine", "currency": "EUR", "as_of": "2026-01", "source": "x", "devices": devices}
    )
    config = builder.sweep.config | {"prices": str(tmp_path / "mine.yaml")}
    builder.ledger.write_sweep(builder.sweep.model_copy(update={"prices": book, "config": config}))
    assert reprice(builder.ledger, "requests_per_year=5").terms.currency == "EUR"
