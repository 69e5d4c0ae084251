"""Probes: one short trial a family, in a sweep of their own."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.plan.forecast import forecast_lines
from orchestrator.contracts.probe import Timing
from orchestrator.planning import make_plan
from orchestrator.planning.probes import billed_device_hours, probe_sweep, usable

GRID: dict[str, Any] = {
    "models": ["base"],
    "domains": ["general", "clinical"],
    "methods": ["full", {"name": "lora", "rank": [4, 8]}],
    "tasks": ["ncbi-disease"],
    "seeds": [12, 34],
    "recipe": {"epochs": 5, "train_rows": 3200, "batch_size": 32},
    "budget": {"core_hours": 1},
}


@pytest.fixture
def probes(plan: Any) -> Any:
    def _probes(**keys: Any) -> Any:
        whole = plan(**GRID | keys)
        return make_plan(probe_sweep(whole.sweep), whole.inputs, {})

    return _probes


def test_there_is_one_a_backbone_method_and_task_with_one_seed(probes: Any) -> None:
    found = probes()
    cells = sorted({(t.cell.domain, t.cell.method.split("-")[0]) for t in found.trials})
    assert cells == [("clinical", "full"), ("clinical", "lora"), ("general", "full"), ("general", "lora")]
    assert {trial.seed for trial in found.trials} == {12}
    assert found.sweep.config.name == "ours-probes"
    assert found.sweep.config.budget is None


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [
        ({"epochs": 1}, 10),
        ({"epochs": 3}, 30),
        ({"epochs": 50}, 40),
        ({"train_seconds": 60}, 40),
        ({"steps": 5}, 8),
    ],
)
def test_it_trains_a_tenth_of_the_steps_within_bounds(probes: Any, recipe: Any, steps: int) -> None:
    found = probes(recipe={"train_rows": 3200, "batch_size": 32} | recipe)
    recipes = {found.spec(trial).recipe for trial in found.trials}
    assert {(r.steps, r.train_seconds, r.evaluations, r.train_rows) for r in recipes} == {
        (steps, None, 2, 3200)
    }


def test_a_search_is_not_probed_candidate_by_candidate(probes: Any) -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3}}
    found = probes(methods=[{"name": "full", "tune": {"trials": 4, "space": space}}])
    assert found.searches == ()
    assert len(found.trials) == 2


def test_only_probes_of_the_plan_as_it_is_now_tell_anything(plan: Any, probes: Any, finished: Any) -> None:
    planned = probes()
    timing = Timing(device_type="cpu", train_seconds=10.0, steps=40)
    history = finished(
        planned, planned.trials, wall_seconds=12.0, device_type="cpu", timing=timing, device_seconds=18.0
    )
    assert set(usable(planned, history)) == {trial.name for trial in planned.trials}
    assert billed_device_hours(history.values()) == pytest.approx(4 * 18 / 3600)
    changed = probes(recipe={"epochs": 5, "train_rows": 3200, "batch_size": 16})
    assert usable(changed, history) == {}
    after = plan(probes=usable(planned, history), **GRID).forecast
    assert after.basis == "probe"
    # 500 steps a trial at 40 in 10 s; rank 4 goes by the probe of rank 8
    assert after.device_hours == pytest.approx(12 * 500 / 40 * 10 / 3600)


GIB = 2**30
ON_ONE_GPU = {"resources": {"gpus": 1, "cpus": 1}, "budget": None}


def seen(plan: Any, finished: Any, peak: float, device: str, trials: Any, **way: Any) -> Any:
    timing = Timing(device_type=device, train_seconds=10.0, peak_memory_bytes=round(peak * GIB), **way)
    return finished(plan, trials, wall_seconds=20.0, device_type=device, timing=timing)


def test_a_cell_whose_probe_filled_the_gpu_is_refused_with_the_arithmetic(
    plan: Any, probes: Any, finished: Any
) -> None:
    probe = probes(**ON_ONE_GPU)
    full = [t for t in probe.trials if t.cell.method == "full" and t.cell.domain == "general"]
    found = plan(probes=seen(probe, finished, 21.0, "NVIDIA A10G", full), **GRID | ON_ONE_GPU)
    [refused] = found.refused
    assert (refused.cell.method, refused.cell.domain) == ("full", "general")
    assert "a probe of it took 21.0 GiB on NVIDIA A10G, with 10% in reserve 23.1 GiB" in refused.reason
    assert "nvidia-a10g has 22.0 GiB" in refused.reason
    fits = plan(probes=seen(probe, finished, 19.0, "NVIDIA A10G", full), **GRID | ON_ONE_GPU)
    assert fits.refused == ()
    assert fits.forecast.peak_memory_bytes == 19 * GIB
    assert (fits.forecast.device_memory_bytes, fits.forecast.device_name) == (22 * GIB, "nvidia-a10g")
    assert "19 GiB of the 22 GiB of nvidia-a10g at most, as measured" in "\n".join(forecast_lines(fits))


def test_a_share_of_a_gpu_has_that_share_of_its_memory(plan: Any, probes: Any, finished: Any) -> None:
    half = ON_ONE_GPU | {"resources": {"gpus": 0.5, "cpus": 1}}
    probe = probes(**half)
    found = plan(probes=seen(probe, finished, 10.5, "NVIDIA A10G", probe.trials[:1]), **GRID | half)
    [refused] = found.refused
    assert "and 0.5 of nvidia-a10g has 11.0 GiB" in refused.reason


def test_what_was_seen_in_one_way_says_nothing_about_another(plan: Any, probes: Any, finished: Any) -> None:
    probe = probes(**ON_ONE_GPU)

    def refused(**way: Any) -> int:
        peaks = seen(probe, finished, 21.0, "NVIDIA A10G", probe.trials[:1], **way)
        return len(plan(probes=peaks, **GRID | ON_ONE_GPU).refused)

    assert refused(pass_size=32) == 1
    assert refused(pass_size=1) == 0
    assert refused(spread="2 processes, fsdp") == 0
    assert refused(spread="gradient checkpointing") == 0


def test_what_has_run_to_its_end_there_is_not_refused_and_unknown_gpus_and_cores_are_not_judged(
    plan: Any, probes: Any, finished: Any
) -> None:
    whole = plan(**GRID | ON_ONE_GPU)
    ran = seen(whole, finished, 21.5, "NVIDIA A10G", whole.trials[:1])
    assert plan(ran, **GRID | ON_ONE_GPU).refused == ()
    probe = probes(**ON_ONE_GPU)
    unknown = seen(probe, finished, 900.0, "Some GPU", probe.trials)
    assert plan(probes=unknown, **GRID | ON_ONE_GPU).refused == ()
    cores = seen(probes(), finished, 900.0, "cpu", probes().trials)
    assert plan(probes=cores, **GRID).refused == ()
