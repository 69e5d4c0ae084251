"""The price book: every entry loads, says when and where its prices are from, and mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.config import ResolvedSweep, load_catalogue, load_sweep
from orchestrator.config.catalogue import builtin_catalogue
from orchestrator.contracts.price import PriceBook
from orchestrator.errors import ConfigError

BOOKS = sorted(path.stem for path in (builtin_catalogue() / "prices").glob("*.yaml"))
OWN = """\
currency: EUR
as_of: 2026-02-01
source: the invoice of our computing centre
devices:
  NVIDIA A30: {on_demand: 0.4, spot: 0.2}
  cpu: {on_demand: 0.01}
"""
SWEEP = {
    "name": "s",
    "models": ["demo-tiny"],
    "domains": ["general"],
    "methods": ["full"],
    "tasks": ["demo-outcome"],
}


def load(directory: Path, arguments: tuple[str, ...] = (), **keys: object) -> ResolvedSweep:
    path = directory / "s.yaml"
    path.write_text(yaml.safe_dump(SWEEP | keys))
    return load_sweep(path, arguments, cwd=directory)


@pytest.mark.parametrize("name", BOOKS)
def test_every_entry_loads_with_its_date_and_source(name: str) -> None:
    book = load_catalogue().prices[name]
    assert book.source
    assert book.usual("gpu") in book.devices
    for device in book.devices.values():
        assert device.spot is None or device.spot < device.on_demand


def test_there_is_a_price_for_cores_for_gpus_on_demand_and_spot() -> None:
    books = load_catalogue().prices.values()
    assert any(book.rate("CPU", "spot") for book in books)
    assert any(book.rate("tesla t4", "spot") for book in books)
    assert any(book.energy is not None and not book.energy.included for book in books)


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"currency": "pounds"}, "currency", "pounds"),
        ({"as_of": "lately"}, "as_of", "lately"),
        ({"devices": {}}, "devices", "{}"),
        ({"devices": {"cpu": {"on_demand": 0}}}, "devices.cpu.on_demand", "0"),
        ({"devices": {"cpu": {"ondemand": 1}}}, "devices.cpu.ondemand", "unknown key"),
        ({"devices": {"A": {"on_demand": 1}, "B": {"on_demand": 1}}}, "", "usual_gpu is needed"),
        ({"usual_gpu": "cpu"}, "", "none of the GPUs"),
        ({"devices": {"cpu": {"on_demand": 1}, "CPU": {"on_demand": 1}}}, "", "stands twice"),
        ({"energy": {"per_kwh": 0.1, "overhead": 0.5}}, "energy.overhead", "0.5"),
    ],
)
def test_a_wrong_entry_is_told_with_its_file_and_key(
    tmp_path: Path, change: dict[str, object], key: str, words: str
) -> None:
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(yaml.safe_load(OWN) | {"as_of": "2026-02-01"} | change)
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, prices="mine.yaml")
    found = {c.key: c for c in caught.value.problems if c.where.endswith("mine.yaml")}
    problem = found[key]
    assert words in problem.problem


def test_a_file_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN)
    for found in (load(tmp_path, prices="mine.yaml"), load(tmp_path, ("prices=mine.yaml",))):
        book = found.catalogue.prices[found.config.prices or ""]
        assert (book.name, book.currency, book.usual("gpu")) == ("mine", "EUR", "NVIDIA A30")
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path, prices="yours.yaml")


def test_the_market_decides_what_a_budget_of_money_buys(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN)
    keys = {"prices": "mine.yaml", "resources": {"gpus": 1}, "recipe": {"money": 1}}
    seconds = [
        load(tmp_path, **keys, market=m).grid.cells[0].recipe.train_seconds for m in ("on_demand", "spot")
    ]
    assert seconds == pytest.approx([3600 / 0.4, 3600 / 0.2])


def test_a_device_without_a_price_has_none() -> None:
    book = PriceBook.model_validate(yaml.safe_load(OWN) | {"name": "mine", "as_of": "2026-02-01"})
    assert book.rate("NVIDIA H200") is None
    assert book.rate("cpu", "spot") is None


def test_the_budget_of_a_sweep_says_what_it_limits(tmp_path: Path) -> None:
    found = load(tmp_path, ("budget.core_hours=2",)).config.budget
    assert found is not None
    assert found.core_hours == 2
    with pytest.raises(ConfigError, match="at least one of"):
        load(tmp_path, budget={})
    with pytest.raises(ConfigError, match="unknown key"):
        load(tmp_path, budget={"hours": 3})
