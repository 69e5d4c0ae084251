"""What trials that share a GPU cost: by a probe of their family that had one to itself."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.contracts.probe import Timing
from orchestrator.planning import make_plan
from orchestrator.planning.probes import probe_sweep, uncalibrated, usable
from orchestrator.planning.workload import PASS_OF_HEAD

A100 = "NVIDIA A100-SXM4-80GB"
GRID: dict[str, Any] = {
    "models": ["tiny"],
    "domains": ["general"],
    "methods": ["full", {"name": "lora", "rank": [4, 8]}],
    "tasks": ["ncbi-disease"],
    "seeds": [12, 34],
    "recipe": {"epochs": 5, "train_rows": 3200, "batch_size": 32},
}
SHARED = [{"device": "nvidia-a100-80gb", "cpus": 2}, {"gpus": 0.5, "cpus": 2}]
TIMING = Timing(
    device_type=A100,
    start_seconds=3.0,
    load_seconds=1.0,
    tokenise_seconds=0.5,
    warm_up_seconds=2.0,
    train_seconds=10.0,
    steps=40,
    evaluate_seconds=4.0,  # of two evaluations
    closing_seconds=9.0,
    test_seconds=6.0,
)


@pytest.fixture
def calibrated(plan: Any, finished: Any) -> Any:
    """A plan, and the probes of it, which have finished."""

    def _calibrated(timing: Timing = TIMING, **keys: Any) -> tuple[Any, Any]:
        whole = plan(**GRID | keys)
        probing = make_plan(probe_sweep(whole.sweep), whole.inputs, {})
        history = finished(probing, probing.trials, wall_seconds=30.0, device_type=A100, timing=timing)
        return plan(probes=usable(probing, history), **GRID | keys), probing

    return _calibrated


@pytest.mark.parametrize("resources", SHARED)
def test_a_probe_has_a_gpu_to_itself_and_makes_forty_steps(calibrated: Any, resources: Any) -> None:
    whole, probing = calibrated(resources=resources, recipe={"epochs": 1, "train_rows": 320})
    assert {trial.resources.gpus for trial in probing.trials} == {1.0}
    assert {probing.spec(trial).recipe.steps for trial in probing.trials} == {40}
    assert all(trial.resources.shares_a_gpu for trial in whole.trials)


@pytest.mark.parametrize("resources", SHARED)
def test_the_record_says_what_trials_take_alone(calibrated: Any, resources: Any) -> None:
    whole, _ = calibrated(resources=resources)
    record = whole.record(written_at=0.0, frontier_version="1", provenance={})
    assert record.standalone.keys() == whole.cells.keys()
    [costs] = set(record.standalone.values())
    assert costs.step_seconds == pytest.approx(0.25)
    # Loading, tokenising, first steps; five evaluations of 2 s; test. No start, checkpoint or service.
    assert costs.other_seconds == pytest.approx(1 + 2 + 5 * 2 + 6)
    assert costs.device_seconds(500) == pytest.approx(19 + 125)
    assert uncalibrated(whole) == set()


def test_a_family_is_calibrated_by_the_arithmetic_of_its_cells(calibrated: Any) -> None:
    whole, _ = calibrated(resources=SHARED[1], methods=[{"name": "full", "batch_size": [16, 32]}])
    costs = whole.record(written_at=0.0, frontier_version="1", provenance={}).standalone
    assert sorted(found.step_seconds for found in costs.values()) == pytest.approx([0.25, 0.5])


def test_the_steps_of_head_only_are_cheaper_after_its_first_epoch(calibrated: Any) -> None:
    """The probe's 40 steps of 32 are within an epoch, whose texts the backbone reads; four more follow."""
    keys: dict[str, Any] = {"methods": ["head-only"], "recipe": {"epochs": 5, "train_rows": 1280}}
    whole, _ = calibrated(resources=SHARED[1], **keys)
    [costs] = set(whole.record(written_at=0.0, frontier_version="1", provenance={}).standalone.values())
    assert costs.step_seconds == pytest.approx(0.25 * (1 + 4 * PASS_OF_HEAD) / 5)


@pytest.mark.parametrize(
    ("read", "dev", "passes", "scored"),
    [(0.5, 1, 0.5 + 0.5 * PASS_OF_HEAD, 1 + PASS_OF_HEAD), (1.0, 2, 1, 2)],
)
def test_a_probe_of_head_only_says_what_its_backbone_read(
    calibrated: Any, read: float, dev: int, passes: float, scored: float
) -> None:
    keys: dict[str, Any] = {"methods": ["head-only"], "recipe": {"epochs": 5, "train_rows": 640}}
    timing = TIMING.model_copy(update={"read_share": read, "dev_reads": dev})
    whole, _ = calibrated(resources=SHARED[1], timing=timing, **keys)
    [costs] = set(whole.record(written_at=0.0, frontier_version="1", provenance={}).standalone.values())
    assert costs.step_seconds == pytest.approx(0.25 * (1 + 4 * PASS_OF_HEAD) / 5 / passes)
    scoring = 4.0 / scored * (1 + 4 * PASS_OF_HEAD)
    assert costs.other_seconds == pytest.approx(1 + 2 + scoring + 6)


def test_without_probes_families_that_share_wait_for_one_and_others_do_not(plan: Any) -> None:
    waiting = {entry for _, entry, _ in uncalibrated(plan(**GRID, resources=SHARED[1]))}
    assert waiting == {"full", "lora"}
    assert uncalibrated(plan(**GRID, resources={"gpus": 1})) == set()
    assert uncalibrated(plan(**GRID)) == set()


def test_a_forecast_gives_a_trial_its_part_of_the_gpu_and_at_least_the_time_alone(calibrated: Any) -> None:
    half, _ = calibrated(resources={"gpus": 0.5})
    whole, _ = calibrated(resources={"gpus": 1})
    assert half.forecast.device_hours == pytest.approx(whole.forecast.device_hours)
    took = {plan.trials[0].resources.gpus: plan.trials[0].forecast_seconds for plan in (half, whole)}
    assert took[0.5] == pytest.approx(2 * took[1.0])
    low, high = half.forecast.device_hours_interval
    assert low < whole.forecast.device_hours_interval[0]
    assert high == pytest.approx(whole.forecast.device_hours_interval[1], rel=0.1)


def test_the_forecast_of_a_trial_with_a_quarter_of_a_gpu_comes_from_one_that_had_half(
    plan: Any, finished: Any
) -> None:
    first = plan(**GRID, resources={"gpus": 0.5})
    timing = TIMING.model_copy(update={"devices": 0.5})
    history = finished(first, first.trials, wall_seconds=30.0, device_type=A100, timing=timing)
    seeds = GRID | {"seeds": [56]}
    quarter, half = (plan(history, **seeds, resources={"gpus": gpus}) for gpus in (0.25, 0.5))
    assert quarter.trials[0].forecast_seconds == pytest.approx(2 * half.trials[0].forecast_seconds)


def test_a_cell_that_filled_more_than_its_share_gets_a_whole_gpu(plan: Any, finished: Any) -> None:
    first = plan(**GRID, resources=SHARED[0])
    probing = make_plan(probe_sweep(first.sweep), first.inputs, {})
    timing = TIMING.model_copy(update={"peak_memory_bytes": 15 * 2**30})
    probes = finished(probing, probing.trials, wall_seconds=30.0, device_type=A100, timing=timing)
    placed = plan(probes=usable(probing, probes), **GRID, resources=SHARED[0])
    assert placed.refused == ()
    assert first.trials[0].resources.shares_a_gpu
    assert placed.trials[0].resources.gpus == 1
