"""What a finished sweep would cost at other prices, checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import Origin, Serving
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.tuning import Tuned
from orchestrator.contracts.vocabulary import FailureKind, Figure, Phase, Signature, Source
from orchestrator.report import build_report
from orchestrator.report.analysis.break_even import BreakEvenVerdict, break_even_at
from orchestrator.report.analysis.ownership import WhatIf, what_if
from orchestrator.tracking.price_terms import Terms

BOOK: dict[str, Any] = {
    "name": "ours",
    "currency": "EUR",
    "as_of": "2026-01",
    "source": "invoice",
    "devices": {
        "cpu": {"on_demand": 0.36, "spot": 0.18, "watts": 10},
        "Small": {"on_demand": 1.0, "watts": 100, "tflops": 50},
        "Large": {"on_demand": 4.0, "watts": 400, "tflops": 200},
        "Odd": {"on_demand": 4.0},
    },
    "usual_gpu": "Small",
}
MIB = 2**20
SECONDS = {"tiny": 100.0, "mini": 300.0}
PACE = {"tiny": 100.0, "mini": 20.0}  # requests a second at the batch
SCORES = {"tiny": 0.7, "mini": 0.8}


def served(model: str) -> dict[str, Any]:
    pace = PACE[model]
    work = {Phase.SERVE: PhaseWork(peak_host_memory_bytes=(200 if model == "tiny" else 600) * MIB)}
    return {
        "serving": (
            Serving(batch_size=1, examples_per_second=pace / 4, latency_seconds=4 / pace, batches=5),
            Serving(batch_size=32, examples_per_second=pace, latency_seconds=32 / pace, batches=5),
        ),
        "work": work,
    }


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Two models of one domain and method, two seeds each; `terms` and book as they are changed."""

    def _ask(
        book: dict[str, Any] | None = None,
        device_type: str = "cpu",
        serving: bool = True,
        seconds: dict[str, float] | None = None,
        pace: dict[str, float] | None = None,
        tuned: dict[str, Tuned] | None = None,
        laid_over: dict[str, Any] | None = None,
        **terms: Any,
    ) -> WhatIf:
        builder = LedgerBuilder(tmp_path, name=f"s{len(list(tmp_path.iterdir()))}")
        for trial in builder.plan(domains=["general"], methods=["full"], seeds=(11, 12)):
            model = trial.cell.model
            outcome = served(model) if serving else {}
            if pace and serving:
                rate = Serving(batch_size=32, examples_per_second=pace[model], latency_seconds=1, batches=3)
                outcome["serving"] = (rate,)
            outcome |= laid_over or {}
            took = (seconds or SECONDS)[model]
            phases = {Phase.TRAIN: took}
            builder.attempt(
                trial,
                Fate(
                    quality=SCORES[model],
                    seconds=took,
                    phases=phases,
                    device_type=device_type,
                    outcome=outcome,
                ),
            )
        assert builder.sweep is not None
        sweep = builder.sweep.model_copy(update={"tuned": tuned or {}})
        found = PriceBook.model_validate(BOOK | (book or {}))
        agreed = {"prices": "ours", "currency": "EUR", "as_of": "2026-01", "price_source": "invoice"}
        return what_if(sweep, builder.ledger.trials(), found, Terms(**agreed | terms))

    return _ask


def rows(found: WhatIf) -> dict[str, Any]:
    return {row.cell.split("/")[0]: row for row in found.tasks[0].rows}


def test_training_is_paid_for_every_seed_and_serving_by_the_request(ask: Any) -> None:
    found = rows(ask(requests_per_year=1e6, years=2, utilisation=0.5))["tiny"]
    assert found.training.value == pytest.approx(2 * 100 / 3600 * 0.36)
    assert found.tuning.value == 0
    # 2 years of a million requests at 100 a second, by a core that is busy half of the time
    assert found.serving.value == pytest.approx(2e6 / 100 / 0.5 / 3600 * 0.36)
    assert found.total.value == pytest.approx(found.training.value + found.serving.value)
    assert found.total.source is Source.MEASURED
    assert (found.seeds, found.seconds_per_request.value) == (2, pytest.approx(0.01))
    assert found.errors is None


def test_one_request_at_a_time_takes_as_long_as_it_was_timed(ask: Any) -> None:
    found = rows(ask(requests_per_year=1e6, batch="one"))["tiny"]
    assert found.serving.value == pytest.approx(1e6 * 4 / 100 / 3600 * 0.36)


def test_the_search_before_the_seeds_is_owned_too(ask: Any) -> None:
    cell = "tiny/general/full/outcome"
    won = Tuned(
        values={},
        candidate=1,
        metric=MetricName.MACRO_F1,
        dev_quality=0.5,
        candidates=4,
        device_seconds=7200,
        device_type="cpu",
    )
    assert rows(ask(tuned={cell: won}))["tiny"].tuning.value == pytest.approx(0.72)


def test_spot_costs_less_and_a_market_without_a_price_has_none(ask: Any) -> None:
    assert rows(ask(market="spot"))["tiny"].training.value == pytest.approx(2 * 100 / 3600 * 0.18)
    on_small = rows(ask(device_type="Small", market="spot"))["tiny"]
    assert on_small.total.value is None
    assert "no spot price of Small" in on_small.total.why


def test_figures_that_are_carried_to_another_device_are_estimates(ask: Any) -> None:
    found = rows(ask(device_type="Small", device="Large", requests_per_year=1e6))["tiny"]
    assert found.training.value == pytest.approx(2 * 100 / 3600 / 4 * 4.0)
    assert found.training.source is found.total.source is Source.ESTIMATED
    assert "carried from Small to Large" in found.training.why
    assert found.seconds_per_request.value == pytest.approx(0.01 / 4)
    at_home = rows(ask(device_type="Large", device="large"))["tiny"]
    assert at_home.training.source is Source.MEASURED


@pytest.mark.parametrize(("here", "there"), [("cpu", "Small"), ("Small", "Odd"), ("Small", "Nowhere")])
def test_without_a_way_to_carry_or_a_price_the_figure_is_missing(ask: Any, here: str, there: str) -> None:
    found = rows(ask(device_type=here, device=there))["tiny"]
    assert found.training.source is Source.MISSING
    assert found.training.value is None
    assert found.training.why


def test_what_was_not_served_has_no_total_at_a_volume_but_one_without(ask: Any) -> None:
    unserved = rows(ask(serving=False, requests_per_year=1))["tiny"]
    assert (unserved.serving.source, unserved.total.value) == (Source.MISSING, None)
    assert rows(ask(serving=False))["tiny"].total.value == pytest.approx(2 * 100 / 3600 * 0.36)


def test_the_memory_limit_leaves_out_what_does_not_fit(ask: Any) -> None:
    fast = {"tiny": 1.0, "mini": 100.0}
    found = rows(ask(requests_per_year=1e9, pace=fast, memory_limit_gib=0.5))
    assert (found["tiny"].fits, found["mini"].fits) == (True, False)
    assert (found["tiny"].cheapest, found["mini"].cheapest) == (True, False)
    assert rows(ask(requests_per_year=1e9, pace=fast))["mini"].cheapest
    trained = rows(ask(serving=False))["tiny"].memory_bytes
    assert (trained.value, trained.source) == (600_000_000, Source.ESTIMATED)


def test_a_larger_model_that_takes_more_of_everything_never_pays_off(ask: Any) -> None:
    [offer] = ask(requests_per_year=1000).tasks[0].pay_offs
    assert (offer.larger, offer.smaller) == ("mini/general/full", "tiny/general/full")
    assert (offer.verdict, offer.requests_per_year) == (BreakEvenVerdict.NEVER, None)
    assert offer.quality_gain == pytest.approx(0.1)
    assert "never pays off" in offer.sentence


def test_the_volume_from_which_a_faster_larger_model_pays_off(ask: Any) -> None:
    [offer] = ask(pace={"tiny": 10.0, "mini": 20.0}).tasks[0].pay_offs
    assert offer.verdict is BreakEvenVerdict.ABOVE
    # 400 s more of training, and 0.05 s less a request
    assert offer.requests_per_year == pytest.approx(400 / 0.05)
    assert "from 8,000 requests a year on" in offer.sentence


def test_the_price_of_errors_can_make_a_larger_model_pay_off(ask: Any) -> None:
    found = ask(requests_per_year=1000, cost_per_error=0.01)
    [offer] = found.tasks[0].pay_offs
    saved = 0.1 * 0.01 - (1 / 20 - 1 / 100) / 3600 * 0.36
    assert offer.verdict is BreakEvenVerdict.ABOVE
    assert offer.requests_per_year == pytest.approx(400 / 3600 * 0.36 / saved)
    assert "from 41 requests a year on" in offer.sentence  # 40.2: at 40 it costs more
    errors = rows(found)["tiny"].errors
    assert errors.value == pytest.approx(1000 * 0.3 * 0.01)
    assert errors.source is Source.ESTIMATED


@pytest.mark.parametrize(
    ("more_once", "more_each", "verdict", "volume"),
    [
        (10, -2, BreakEvenVerdict.ABOVE, 5),
        (-10, 2, BreakEvenVerdict.BELOW, 5),
        (10, 2, BreakEvenVerdict.NEVER, None),
        (10, 0, BreakEvenVerdict.NEVER, None),
        (0, 0, BreakEvenVerdict.NEVER, None),
        (-10, 0, BreakEvenVerdict.ALWAYS, None),
        (-10, -2, BreakEvenVerdict.ALWAYS, None),
        (0, -2, BreakEvenVerdict.ALWAYS, None),
    ],
)
def test_where_two_lines_cross(
    more_once: float, more_each: float, verdict: BreakEvenVerdict, volume: float | None
) -> None:
    assert break_even_at(more_once, more_each) == (verdict, volume)


def test_energy_and_carbon_are_metered_or_by_the_books_watts(ask: Any) -> None:
    grid = {"energy": {"included": False, "per_kwh": 0.5, "grams_co2_per_kwh": 400, "overhead": 1.5}}
    found = rows(ask(book=grid))["tiny"]
    kwh = 2 * 100 * 10 / 3.6e6
    assert found.energy_kwh.value == pytest.approx(kwh)
    assert found.energy_kwh.source is Source.ESTIMATED
    assert found.carbon_kg.value == pytest.approx(kwh * 1.5 * 0.4)
    assert found.training.value == pytest.approx(2 * 100 / 3600 * 0.36 + kwh * 1.5 * 0.5)
    assert rows(ask())["tiny"].carbon_kg.source is Source.MISSING


GRID = {"energy": {"included": False, "per_kwh": 0.5, "overhead": 1.5}}
SHARED = Origin(source=Source.ESTIMATED, by="RAPL counters, by share of cores (2 of 8)")


def metered(origin: Origin, figure: Figure = Figure.CPU_ENERGY, **work: float) -> dict[str, Any]:
    """3.6 MJ of training by the processors' counter, and what `work` says beside."""
    done = {Phase.TRAIN: PhaseWork(**{"cpu_joules": 3.6e6} | work), Phase.SERVE: PhaseWork(cpu_joules=7200)}
    return {"work": done, "phases": {Phase.TRAIN: 100.0, Phase.SERVE: 2.0}, "origins": {figure: origin}}


def test_energy_by_a_share_of_a_counter_is_an_estimate_and_one_by_a_whole_counter_is_not(ask: Any) -> None:
    found = rows(ask(laid_over=metered(SHARED)))["tiny"]
    assert found.energy_kwh.value == pytest.approx(2.0)
    assert (found.energy_kwh.source, found.energy_kwh.why) == (Source.ESTIMATED, SHARED.by)
    whole = Origin(source=Source.MEASURED, by="RAPL counters")
    assert rows(ask(laid_over=metered(whole)))["tiny"].energy_kwh.source is Source.MEASURED
    paid_apart = rows(ask(laid_over=metered(SHARED), book=GRID))["tiny"].training
    assert paid_apart.source is Source.ESTIMATED


def test_the_energy_of_a_request_is_an_estimate_by_the_mean_power_of_the_phase(ask: Any) -> None:
    whole = Origin(source=Source.MEASURED, by="RAPL counters")
    found = rows(ask(laid_over=metered(whole), requests_per_year=1e6))["tiny"]
    assert found.energy_kwh.value == pytest.approx(2.0 + 7200 / 2 / 100 * 1e6 / 3.6e6)
    assert found.energy_kwh.source is Source.ESTIMATED
    assert "mean power" in found.energy_kwh.why


def test_on_a_gpu_the_energy_is_that_of_the_gpu_whatever_else_has_a_meter(ask: Any) -> None:
    whole = Origin(source=Source.MEASURED, by="NVML")
    one, both = (
        rows(ask(device_type="Small", laid_over=metered(whole, Figure.GPU_ENERGY, gpu_joules=1.8e6, **more)))
        for more in ({"cpu_joules": None}, {"cpu_joules": 9e6})
    )
    assert one["tiny"].energy_kwh == both["tiny"].energy_kwh
    assert one["tiny"].energy_kwh.value == pytest.approx(2 * 0.5)
    unmetered = rows(ask(device_type="Small", laid_over=metered(whole)))["tiny"].energy_kwh
    assert (unmetered.source, "100 W" in unmetered.why) == (Source.ESTIMATED, True)


def test_an_idle_device_is_paid_for_by_the_hour_and_draws_nothing(ask: Any) -> None:
    busy, half = (
        rows(ask(book=GRID, requests_per_year=1e6, utilisation=share))["tiny"] for share in (1.0, 0.5)
    )
    hours, kwh = 1e6 / 100 / 3600, 1e6 / 100 * 10 / 3.6e6
    assert busy.serving.value == pytest.approx(hours * 0.36 + kwh * 1.5 * 0.5)
    assert half.serving.value == pytest.approx(2 * hours * 0.36 + kwh * 1.5 * 0.5)
    assert half.energy_kwh.value == busy.energy_kwh.value


def test_models_pay_off_within_each_set_up_of_devices(tmp_path: Path) -> None:
    """The smallest model of all ran on one device only: the other has a smallest one of its own."""
    builder = LedgerBuilder(tmp_path)
    ran = {"tiny": ["cpu"], "mini": ["cpu", "Small"], "base": ["Small"]}
    builder.plan(list(ran), ["general"], ["full"], seeds=(1, 2))
    for trial in builder.sweep.trials:
        size = list(ran).index(trial.cell.model)
        device = ran[trial.cell.model][(trial.seed - 1) % len(ran[trial.cell.model])]
        fate = Fate(quality=0.6 + 0.1 * size, device_type=device, outcome=served("tiny"))
        builder.attempt(trial, fate)
    terms = Terms(prices="ours", currency="EUR", as_of="2026-01", price_source="invoice")
    book = PriceBook.model_validate(BOOK)
    offers = what_if(builder.sweep, builder.ledger.trials(), book, terms).tasks[0].pay_offs
    assert {(o.smaller.split("/")[0], o.larger.split("/")[0]) for o in offers} == {
        ("tiny", "mini"),
        ("mini", "base"),
    }


def test_a_seed_that_failed_counts_with_what_guessing_gives_as_in_the_report(tmp_path: Path) -> None:
    """Without it, the cell would be owned as if it always worked."""
    builder = LedgerBuilder(tmp_path)
    guessing = {"guessing": {MetricName.MACRO_F1: 0.2}}
    fates = [
        Fate(quality=0.8, outcome=served("tiny") | guessing),
        Fate(quality=0.25, outcome=served("tiny") | guessing | {"signature": Signature.COLLAPSED}),
        Fate(failure=FailureKind.DIVERGED, outcome=guessing),
    ]
    for trial, fate in zip(
        builder.plan(["tiny"], ["general"], ["full"], seeds=(1, 2, 3)), fates, strict=True
    ):
        builder.attempt(trial, fate)
    sweep, book = builder.ledger.sweep(), PriceBook.model_validate(BOOK)
    terms = Terms(prices="ours", currency="EUR", as_of="2026-01", price_source="invoice", cost_per_error=1)
    [row] = what_if(sweep, builder.ledger.trials(), book, terms).tasks[0].rows
    [point] = build_report(sweep, builder.ledger.trials()).tasks[0].points
    assert row.quality == pytest.approx(point.quality.mean) == pytest.approx((0.8 + 0.2 + 0.2) / 3)


def test_an_empty_ledger_owns_nothing(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    builder.plan()
    assert builder.sweep is not None
    agreed = {"prices": "ours", "currency": "EUR", "as_of": "2026-01", "price_source": "invoice"}
    found = what_if(
        builder.sweep, builder.ledger.trials(), PriceBook.model_validate(BOOK), Terms.model_validate(agreed)
    )
    assert [task.rows for task in found.tasks] == [()]
