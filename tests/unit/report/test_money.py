"""Money as an axis: a ledger with prices in it, and nothing else, tells what a trial costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts.price import DevicePrice, EnergyPrice, PriceBook
from orchestrator.report import Report, build_report, report_json, write_report
from orchestrator.report.analysis.objectives import Objective

CLOUD = PriceBook(
    name="cloud",
    currency="EUR",
    as_of="2026-01",
    source="made up",
    devices={"cpu": DevicePrice(on_demand=2.0)},
)
OWN = PriceBook(
    name="own",
    currency="GBP",
    as_of="2026-01",
    source="made up",
    devices={"cpu": DevicePrice(on_demand=1.0, watts=100)},
    energy=EnergyPrice(per_kwh=0.5, included=False, overhead=2.0),
)


def report_of(tmp_path: Path, book: PriceBook | None, **fields: object) -> Report:
    built = LedgerBuilder(tmp_path)
    built.plan(["tiny", "mini"], ["general"], ["full"], seeds=[1, 2, 3])
    built.sweep = built.sweep.model_copy(update={"prices": book, **fields})
    built.ledger.write_sweep(built.sweep)
    for trial in built.sweep.trials:
        tiny = trial.cell.model == "tiny"
        seconds = (3600 if tiny else 7200) * (1 + 0.1 * trial.seed)
        built.attempt(trial, Fate(quality=(0.6 if tiny else 0.8) + 0.01 * trial.seed, seconds=seconds))
    ledger = built.ledger
    report = build_report(ledger.sweep(), ledger.trials(), axes=((Objective.QUALITY, Objective.MONEY),))
    write_report(report, tmp_path / "report")
    return report


def test_device_hours_are_priced_and_money_moves_with_them(tmp_path):
    [task] = report_of(tmp_path, CLOUD).tasks
    for point in task.points:
        assert point.money == pytest.approx(2.0 * point.device_hours.mean)
    [view] = [v for v in task.frontiers if v.axes == (Objective.QUALITY, Objective.MONEY)]
    assert [m.cell for m in view.members] == ["tiny/general/full", "mini/general/full"]
    [hours] = [v for v in task.frontiers if v.axes == (Objective.QUALITY, Objective.DEVICE_HOURS)]
    assert [m.probability for m in view.members] == [m.probability for m in hours.members]
    assert view.hypervolume.interval == pytest.approx(hours.hypervolume.interval)
    assert any("Money is EUR for the device-hours of a trial, by cloud (on demand)" in n for n in task.notes)
    assert "money for a trial (EUR)" in (tmp_path / "report/report.html").read_text().replace(
        "Money", "money"
    )


def test_power_is_paid_for_where_the_book_has_it_apart(tmp_path):
    [task] = report_of(tmp_path, OWN).tasks
    for point in task.points:
        power = point.device_hours.mean * 0.1 * 0.5 * 2.0
        assert point.money == pytest.approx(point.device_hours.mean + power)
    assert any("estimated by 100 W a device, as own has it" in note for note in task.notes)


@pytest.mark.parametrize(("book", "market"), [(None, "on_demand"), (CLOUD, "spot")])
def test_what_has_no_price_has_no_money(tmp_path, book, market):
    report = report_of(tmp_path, book, market=market)
    [task] = report.tasks
    assert {point.money for point in task.points} == {None}
    assert any("has no spot price of cpu" in note for note in task.notes) == (book is not None)
    assert report_json(report)["tasks"][0]["currency"] == (None if book is None else "EUR")
