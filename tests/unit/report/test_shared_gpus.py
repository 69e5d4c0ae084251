"""A cost means the same for every cell, whatever shares of how many GPUs its trials had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts.outcome import Serving
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Precision
from orchestrator.report.build import build_report
from orchestrator.report.render.report_json import report_json
from orchestrator.report.results.point import Point
from orchestrator.report.task_report import TaskReport

A100 = "NVIDIA A100-SXM4-80GB"
EIGHTH, WHOLE = Resources(gpus=0.125), Resources(gpus=1)
PAIR = Resources(gpus=2, cpus=2, processes=2, sharding="zero2")
STEPS = 20  # of each trial of the builder
ALONE = {"step_seconds": 0.5, "other_seconds": 2.0, "calibrated_steps": 40}


def report(
    directory: Path,
    given: dict[str, tuple[Resources, float]],
    calibrated: tuple[str, ...] = (),
    **fate: Any,
) -> tuple[TaskReport, dict[str, Point]]:
    """Of models that were `given` these resources and took these wall seconds; and its points by model."""
    built = LedgerBuilder(directory)
    trials = built.plan(list(given), ["general"], ["full"], seeds=[1, 2])
    assert built.sweep is not None
    known = {f"{m}/general/full/outcome": Standalone(device_type=A100, **ALONE) for m in calibrated}
    built.sweep = built.sweep.model_copy(update={"standalone": known})
    built.ledger.write_sweep(built.sweep)
    for trial in trials:
        resources, seconds = given[trial.cell.model]
        outcome = {"steps": STEPS, **fate.get("outcome", {})}
        built.attempt(
            trial.model_copy(update={"resources": resources}),
            Fate(
                quality=0.6 + 0.1 * list(given).index(trial.cell.model),
                seconds=seconds,
                **{"device_type": A100, **fate, "outcome": outcome},
            ),
        )
    [task] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks
    return task, {point.cell.model: point for point in task.points}


def test_a_trial_on_an_eighth_costs_the_same_alone_and_beside_seven_neighbours(tmp_path: Path) -> None:
    """Alone there it runs at full speed; beside seven others it takes eight times as long."""
    _, alone = report(tmp_path / "alone", {"tiny": (EIGHTH, 12.0)}, ("tiny",))
    _, crowded = report(tmp_path / "crowded", {"tiny": (EIGHTH, 96.0)}, ("tiny",))
    costs = [found["tiny"].device_hours for found in (alone, crowded)]
    assert [cost and cost.mean for cost in costs] == [pytest.approx((2 + 20 * 0.5) / 3600)] * 2
    billed = [found["tiny"].billed_hours for found in (alone, crowded)]
    assert billed == [pytest.approx(12 / 8 / 3600), pytest.approx(96 / 8 / 3600)]


def test_without_a_calibration_there_is_no_cost_and_the_report_says_so(tmp_path: Path) -> None:
    task, found = report(tmp_path, {"tiny": (EIGHTH, 12.0), "mini": (WHOLE, 100.0)})
    tiny, mini = found["tiny"], found["mini"]
    assert tiny.quality is not None
    assert (tiny.device_hours, tiny.wall_seconds, tiny.money, tiny.frontier) == (None, None, None, False)
    assert mini.frontier
    assert any(note.startswith("1 cell shared a GPU and were not calibrated") for note in task.notes)
    assert task.frontiers[0].missing == ("tiny/general/full",)


def test_a_calibration_on_another_kind_of_gpu_is_none(tmp_path: Path) -> None:
    _, found = report(tmp_path, {"tiny": (EIGHTH, 12.0)}, ("tiny",), device_type="Tesla T4")
    assert found["tiny"].device_hours is None


def test_shares_one_gpu_and_several_are_on_one_frontier_for_each_precision(tmp_path: Path) -> None:
    given = {"tiny": (EIGHTH, 96.0), "mini": (WHOLE, 100.0), "large": (PAIR, 300.0)}
    task, found = report(tmp_path, given, ("tiny",), software={"torch": "2.13.0", "deepspeed": "0.19"})
    assert [c.label for c in task.comparisons] == [f"{A100}, fp32"]
    assert all(point.frontier for point in found.values())
    assert task.comparisons[0].software == {"torch": "2.13.0"}
    half, _ = report(tmp_path / "half", given, ("tiny",), precision=Precision.BF16)
    assert [c.label for c in half.comparisons] == [f"{A100}, bf16"]


def test_what_the_neighbours_decide_is_missing_and_what_was_paid_stands_apart(tmp_path: Path) -> None:
    serving = (Serving(batch_size=1, examples_per_second=9.0, latency_seconds=0.1, batches=3),)
    outcome = {"serving": serving, "tokens_per_second": 500.0}
    task, found = report(tmp_path, {"tiny": (EIGHTH, 96.0)}, ("tiny",), outcome=outcome)
    tiny = found["tiny"]
    assert (tiny.latency_ms, tiny.tokens_per_second, tiny.energy_kwh) == (None, None, None)
    assert any("latency and tokens a second are not given" in note for note in task.notes)
    assert any("The cost given is that of the trial alone" in note for note in task.notes)


def test_the_json_keeps_both_costs_apart(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    built.attempt(
        trials[0].model_copy(update={"resources": EIGHTH}),
        Fate(quality=0.6, seconds=80, device_type=A100, outcome={"steps": STEPS}),
    )
    [point] = report_json(build_report(built.ledger.sweep(), built.ledger.trials()))["tasks"][0]["points"]
    assert point["shared_gpu"] is True
    assert point["device_hours"] is None
    assert point["billed_device_hours"] == pytest.approx(10 / 3600)
