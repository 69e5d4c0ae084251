"""`frontier status --watch`: drawn from real ledgers, at times that the test names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder, task
from rich.console import Console

from orchestrator.cli.status.time_left import Pace
from orchestrator.cli.status.watch import Page, watch
from orchestrator.contracts import layout
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.contracts.price import DevicePrice, PriceBook
from orchestrator.contracts.readers import HoldOut, TableReader
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import FailureKind, Split, TrialState
from orchestrator.storage.lease import Lease
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.store import DirectoryStore
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.status import Watcher

NOW = 1_750_010_100.0  # 100 s after the first attempts of the builder began


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


def begin_driver(built: LedgerBuilder, pid: int | None = None) -> None:
    lease = Lease(DirectoryStore(built.ledger.directory.parent), built.ledger.directory.name)
    lease.acquire()
    if pid is not None:
        [path] = (built.ledger.directory / layout.LEASE).iterdir()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": pid}))


def begin(built: LedgerBuilder, trial: PlannedTrial) -> Path:
    """An attempt that is at work: neither outcome nor bill."""
    return built.attempt(trial, Fate(bill=False, events=False))


def text_of(page: Page) -> str:
    console = Console(record=True, width=160, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(page.draw())
    return console.export_text()


def page_of(built: LedgerBuilder) -> Page:
    return Page(built.ledger, lambda: NOW)


def plan(built: LedgerBuilder, **fields: object) -> list[PlannedTrial]:
    trials = built.plan(["tiny", "mini"], ["general"], ["full", "lora-r8"], seeds=[1, 2])
    forecast = tuple(t.model_copy(update={"forecast_seconds": 80.0}) for t in trials)
    built.sweep = built.sweep.model_copy(update={"trials": forecast, **fields})
    built.ledger.write_sweep(built.sweep)
    return list(forecast)


def test_a_running_sweep_says_how_far_it_is_and_why_the_rest_waits(built):
    trials = plan(built)
    begin_driver(built)
    built.attempt(trials[0], Fate(quality=0.6, seconds=70))
    built.attempt(trials[1], Fate(quality=0.7, seconds=90))
    built.attempt(trials[2], Fate(failure=FailureKind.DIVERGED, seconds=36))
    begin(built, trials[3])
    text = text_of(page_of(built))
    assert "2 of 8 finished, 1 running, 4 waiting, failed: 1 DIVERGED" in text
    assert f"process {os.getpid()}" in text
    assert "waiting: 4 for 1 core each; the 1 running trial uses all devices" in text
    assert f"{trials[3].name}  2 min" in text
    # 70 + 90 + 36 s in the bills, 100 s at work
    assert f"{296 / 3600:.3f} core-hours, 1 an hour now" in text
    assert "left (95 %" in text
    assert "frontier so far (cpu, fp32)" in text
    assert "tiny/general/full" in text
    assert "0.650" in text  # the mean of its two seeds


def test_the_budget_is_set_against_the_rate(built):
    trials = plan(built, config={"budget": {"core_hours": 1.0}})
    begin_driver(built)
    built.attempt(trials[0], Fate(quality=0.6, seconds=800))
    begin(built, trials[1])
    assert "0.250 core-hours of 1, 1 an hour now; the budget lasts 45 min at this rate" in text_of(
        page_of(built)
    )


OWN = PriceBook(
    name="mine",
    currency="EUR",
    as_of="2026-01",
    source="invoice",
    devices={"GPU X": DevicePrice(on_demand=1)},
)


def test_money_is_reckoned_as_the_gate_did_by_prices_of_ones_own_before_and_after_the_first_bill(built):
    """The rate that stands in the record: power included, and of the device that the plan meant."""
    trials = plan(
        built,
        config={"budget": {"money": 6}, "prices": "mine.yaml"},
        prices=OWN,
        money_per_device_hour=1.5,
    )
    trials = [t.model_copy(update={"resources": Resources(cpus=1, gpus=1)}) for t in trials]
    built.sweep = built.sweep.model_copy(update={"trials": tuple(trials)})
    built.ledger.write_sweep(built.sweep)
    begin_driver(built)
    assert "0.000 GPU-hours of 4; 0.00 of 6 EUR, 0.00 an hour" in text_of(page_of(built))
    built.attempt(trials[0], Fate(quality=0.6, seconds=3600, device_type="GPU X"))
    assert "1.000 GPU-hours of 4; 1.50 of 6 EUR" in text_of(page_of(built))


def test_results_of_different_comparison_keys_share_no_frontier_so_far(built):
    trials = plan(built)
    begin_driver(built)
    for trial, version in zip(trials, ["1", "1", "2", "2"], strict=False):
        built.attempt(trial, Fate(quality=0.6, seconds=70, software={"torch": version}))
    text = text_of(page_of(built))
    assert "frontier so far (cpu, fp32, torch 1)" in text
    assert "frontier so far (cpu, fp32, torch 2)" in text


def test_the_frontier_so_far_has_seeds_all_of_whose_folds_are_in(built):
    """With the score that the report gives them: macro F1 of all answers, not the mean of the folds."""
    hold_out = HoldOut(dev=0.2, folds=2)
    reader = TableReader(
        format="csv", files={Split.TRAIN: ("a.csv",)}, text="t", label="l", hold_out=hold_out
    )
    letters = task("letters").model_copy(update={"reader": reader})
    trials = built.plan(["tiny"], ["general"], ["full"], [letters], seeds=[1, 2, 3])
    begin_driver(built)
    answers = (
        {"a": ClassAnswers(right=9, given=10, examples=9), "b": ClassAnswers(right=0, given=0, examples=1)},
        {"a": ClassAnswers(right=0, given=0, examples=1), "b": ClassAnswers(right=9, given=10, examples=9)},
    )
    page = page_of(built)
    for trial in [*trials[:2], trials[2], trials[4]]:
        outcome = {"test_classes": answers[trial.fold.number - 1], "rows": {"test": 10}}
        built.attempt(trial, Fate(quality=0.47, seconds=100.0 * trial.fold.number, outcome=outcome))
    [row] = [line for line in text_of(page).splitlines() if "tiny/general/full" in line and "0." in line]
    assert row.split()[1:3] == ["0.900", "1"]
    assert float(row.split()[3]) == pytest.approx(0.9 * 150 / 3600, abs=1e-5)  # the mean of 100 and 200 s


def test_a_spent_budget_is_why_nothing_begins(built):
    trials = plan(built, config={"budget": {"core_hours": 0.01}})
    begin_driver(built)
    built.attempt(trials[0], Fate(quality=0.6, seconds=100))
    assert "waiting: 7 trials, as the budget is spent: raise `budget`" in text_of(page_of(built))


def test_without_a_driver_it_says_so_and_ends(built):
    trials = plan(built)
    begin(built, trials[0])  # its driver was killed
    begin_driver(built, pid=2**22 + 1)  # beyond any process number
    page = page_of(built)
    assert "waiting: 8 trials, as no driver is running: `frontier run`" in text_of(page)
    assert page.is_over


def test_interrupted_trials_and_searches_are_named(built):
    trials = plan(built)
    candidate = trials[7].model_copy(update={"candidate": 1})
    built.sweep = built.sweep.model_copy(update={"candidates": (candidate,), "trials": tuple(trials[:7])})
    built.ledger.write_sweep(built.sweep)
    begin_driver(built)
    built.attempt(trials[0], Fate(failure=FailureKind.PREEMPTED))
    begin(built, trials[1])
    text = text_of(page_of(built))
    assert "1 trial of these for another attempt: interrupted, to be resumed" in text
    assert "the seeds of 1 cell, until the search before them is over" in text
    assert "candidates 0 of 1" in text
    assert "failed" not in text


def test_it_ends_when_all_is_finished_and_at_ctrl_c(built):
    trials = plan(built)
    begin_driver(built)
    begin(built, trials[0])
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            built.finish_all()
            for path in built.ledger.directory.rglob("attempt-001"):
                if not (path / layout.OUTCOME).exists():  # the one that was at work is superseded by the next
                    (path / layout.ORDER).unlink()

    watch(built.ledger, Console(file=open(os.devnull, "w")), lambda: NOW, sleep)  # noqa: SIM115
    assert len(looks) == 1

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    begin(built, built.plan(["base"], ["general"], ["full"], [task("outcome")], [9])[0])
    watch(built.ledger, Console(file=open(os.devnull, "w")), lambda: NOW, interrupt)  # noqa: SIM115


def test_what_is_over_is_never_read_again(built, monkeypatch):
    trials = plan(built)
    begin_driver(built)
    for trial in trials[:6]:
        built.attempt(trial, Fate(quality=0.6))
    watcher = Watcher(built.ledger)
    assert watcher.look().states[TrialState.FINISHED] == 6
    read: list[str] = []

    def trial(planned: PlannedTrial) -> object:
        read.append(planned.name)
        return type(built.ledger).trial(built.ledger, planned)

    monkeypatch.setattr(built.ledger, "trial", trial)
    assert watcher.look().fresh == []
    built.attempt(trials[6], Fate(quality=0.7))
    [fresh] = watcher.look().fresh
    assert read == [fresh.name] == [trials[6].name]


def test_a_store_is_asked_for_records_and_who_drives_every_quarter_of_a_minute(built, tmp_path, monkeypatch):
    plan(built)
    begin_driver(built)
    asked: list[str] = []
    store, here = (
        DirectoryStore(built.ledger.directory.parent),
        tmp_path / "mirror" / built.ledger.sweep().name,
    )

    def listing(prefix: str) -> dict[str, int]:
        asked.append(prefix)
        return DirectoryStore.listing(store, prefix)

    monkeypatch.setattr(store, "listing", listing)
    times = iter((NOW, NOW + 14, NOW + 16))
    page = Page(Ledger(here, Mirror(store, here)), lambda: next(times))
    each = [f"{here.name}/{layout.TRIALS}", f"{here.name}/{layout.LEASE}"]
    for known in (each, each, each * 2):
        assert f"process {os.getpid()}" in text_of(page)
        assert asked == known


def test_another_plan_begins_anew(built):
    plan(built)
    built.finish_all()
    begin_driver(built)
    page = page_of(built)
    assert "8 of 8 finished" in text_of(page)
    built.plan(["tiny", "mini"], ["general"], ["full", "lora-r8"], seeds=[1, 2], fingerprint="a" * 16)
    text = text_of(page)
    assert "0 of 8 finished, 8 waiting" in text
    assert "frontier so far" not in text


def learnt(walls: Iterator[float] | list[float]) -> Pace:
    pace = Pace()
    for wall in walls:
        pace.learn(wall, 10.0)
    return pace


def test_time_left_is_what_is_left_over_the_places_and_its_interval_narrows():
    assert learnt([]).left([10.0], [0.0], 1) is None
    one = learnt([20.0]).left([10.0] * 4, [5.0], 1)
    assert one is not None
    assert (one.seconds, one.interval) == (pytest.approx(4 * 20 - 5), None)
    few = learnt([18.0, 22.0]).left([10.0] * 40, [], 4)
    many = learnt([18.0, 22.0] * 20).left([10.0] * 40, [], 4)
    assert few is not None
    assert many is not None
    assert few.seconds == many.seconds == pytest.approx(200)
    (low, high), (least, most) = many.interval or (0, 0), few.interval or (0, 0)
    assert least < low < 200 < high < most
