"""What must run, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial_history import FingerprintHistory, TrialHistory
from orchestrator.contracts.vocabulary import FailureKind, TrialState


def reasons(plan: Any) -> dict[str, str]:
    return {item.trial.name: item.reason for item in plan.to_run}


def test_a_fresh_sweep_runs_whole(plan: Any) -> None:
    planned = plan()
    assert len(planned.trials) == 2 * 2 * 2 * 2 * 2
    assert set(reasons(planned).values()) == {"new"}
    assert not planned.up_to_date
    assert not planned.stale


def test_a_finished_sweep_runs_nothing(plan: Any, finished: Any) -> None:
    first = plan()
    again = plan(finished(first, first.trials))
    assert again.to_run == ()
    assert again.up_to_date == first.trials
    assert again.forecast.device_hours == 0
    assert again.forecast.basis is None


def test_one_more_method_runs_its_cells_only(plan: Any, finished: Any) -> None:
    first = plan()
    again = plan(finished(first, first.trials), methods=["full", "lora", "ia3"])
    assert {(item.trial.cell.method, item.reason) for item in again.to_run} == {("ia3", "new")}
    assert len(again.to_run) == 16
    assert len(again.up_to_date) == 32


def test_another_learning_rate_makes_exactly_its_trials_stale_and_says_why(plan: Any, finished: Any) -> None:
    first = plan()
    again = plan(finished(first, first.trials), methods=["full", {"name": "lora", "learning_rate": 1e-3}])
    assert {item.trial.name for item in again.stale} == {
        trial.name for trial in first.trials if trial.cell.method == "lora-r8"
    }
    assert again.stale == again.to_run
    assert {item.changed for item in again.stale} == {("recipe.learning_rate: 0.0003 -> 0.001",)}


@pytest.mark.parametrize(
    ("state", "failure", "reason"),
    [
        (TrialState.FAILED, FailureKind.DIVERGED, "failed"),
        (TrialState.FAILED, FailureKind.PREEMPTED, "failed"),
        (TrialState.UNFINISHED, None, "unfinished"),
    ],
)
def test_what_did_not_finish_runs_again(plan: Any, state: Any, failure: Any, reason: str) -> None:
    trial = plan().trials[5]
    found = FingerprintHistory(state=state, failure=failure)
    again = plan({trial.name: TrialHistory(by_fingerprint={trial.fingerprint: found})})
    assert reasons(again)[trial.name] == reason
    assert sum(value == "new" for value in reasons(again).values()) == 31


def test_a_result_under_the_old_fingerprint_counts_again_when_the_old_recipe_comes_back(
    plan: Any, finished: Any
) -> None:
    first = plan()
    changed = plan(recipe={"epochs": 1})
    both = {
        name: TrialHistory(
            by_fingerprint=entry.by_fingerprint | finished(changed, changed.trials)[name].by_fingerprint,
            last=entry.last,
        )
        for name, entry in finished(first, first.trials).items()
    }
    assert plan(both).to_run == ()
    assert plan(both, recipe={"epochs": 1}).to_run == ()
    assert len(plan(both, recipe={"epochs": 2}).stale) == 32


def test_resources_and_prices_make_nothing_stale(plan: Any, finished: Any) -> None:
    first = plan()
    keys = {
        "resources": {"cpus": 4, "gpus": 1},
        "prices": "taylor-2024",
        "question": "Why?",
        "concurrency": 3,
    }
    assert plan(finished(first, first.trials), **keys).to_run == ()


def test_seeds_run_one_after_the_other_and_of_each_the_longest_first(plan: Any) -> None:
    made = plan()
    assert len({item.trial.forecast_seconds for item in made.to_run}) > 3
    seeds = [item.trial.seed for item in made.to_run]
    assert seeds == sorted(seeds, key=made.sweep.config.seeds.index)
    for seed in made.sweep.config.seeds:
        seconds = [item.trial.forecast_seconds for item in made.to_run if item.trial.seed == seed]
        assert seconds == sorted(seconds, reverse=True)


def test_the_record_holds_each_entry_once_and_survives_being_written(plan: Any) -> None:
    planned = plan(models=["tiny", "llama-2-7b"])
    record = planned.record(written_at=5.0, frontier_version="0.1", provenance={"python": "3.11"})
    assert set(record.backbones) == {"tiny/general", "tiny/clinical", "llama-2-7b/general"}
    assert set(record.methods) == {"full", "lora-r8"}
    assert set(record.tasks) == {"ncbi-disease", "mts-dialog"}
    assert set(record.recipes) == {trial.cell.name for trial in planned.trials}
    assert [cell.cell.name for cell in record.refused] == [
        "llama-2-7b/clinical/full/ncbi-disease",
        "llama-2-7b/clinical/full/mts-dialog",
        "llama-2-7b/clinical/lora-r8/ncbi-disease",
        "llama-2-7b/clinical/lora-r8/mts-dialog",
    ]
    assert SweepRecord.model_validate_json(record.model_dump_json()) == record


def test_the_record_holds_the_prices_that_the_budget_goes_by(plan: Any, tmp_path: Path) -> None:
    """A file of the user's own may be gone, or say something else, when the sweep is watched or reported."""
    own = tmp_path / "mine.yaml"
    own.write_text(
        "{currency: EUR, as_of: '2026-01', source: invoice, devices: {cpu: {on_demand: 0.5, watts: 100}},"
        " energy: {per_kwh: 2.0, included: false, overhead: 1.5}}"
    )
    record = plan(prices=str(own)).record(written_at=5.0, frontier_version="0.1", provenance={})
    assert record.prices is not None
    assert record.prices.currency == "EUR"
    assert record.money_per_device_hour == pytest.approx(0.5 + 0.1 * 2.0 * 1.5)  # 100 W, paid apart
    assert SweepRecord.model_validate_json(record.model_dump_json()) == record
    unpriced = plan().record(written_at=5.0, frontier_version="0.1", provenance={})
    assert (unpriced.prices, unpriced.money_per_device_hour) == (None, None)


def test_a_spec_is_whole(plan: Any) -> None:
    planned = plan()
    trial = next(t for t in planned.trials if t.name == "base/clinical/lora-r8/mts-dialog/seed-34")
    spec = planned.spec(trial)
    assert (spec.name, spec.seed, spec.fingerprint) == (trial.name, 34, trial.fingerprint)
    assert spec.backbone.name == "bio-clinicalbert"
    assert spec.digests.data == "data of mts-dialog"
    assert spec.digests.weights == "weights of bio-clinicalbert"
    assert spec.recipe.max_length == 256
