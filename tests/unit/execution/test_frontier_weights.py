"""`keep_weights: frontier`: which whole models stay while a sweep runs, and that no crash loses one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ledger_builder import Fate, LedgerBuilder, task
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.run.frontier_weights import FrontierWeights, keeper_of
from orchestrator.cli.status.view import show_status, status_json
from orchestrator.contracts import layout
from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.kept_weights import DropReason, KeptWeights
from orchestrator.contracts.metrics import PRIMARY, MetricName, Metrics, MetricValue
from orchestrator.contracts.readers import HoldOut
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import FailureKind, Split, TaskKind
from orchestrator.errors import ConfigError
from orchestrator.report.results.frontier_so_far import FrontierSoFar, RankedCell
from orchestrator.storage.directories import MARKER, put_tree
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.store import DirectoryStore
from orchestrator.tracking.ledger import Ledger

GIB = 2**30
SIZE = 1000  # bytes of each model


class Sweep:
    """A sweep whose trials end one by one, as a driver sees them."""

    def __init__(self, directory: Path, **plan: Any) -> None:
        self.builder = LedgerBuilder(directory, "demo")
        self.planned = self.builder.plan(**plan)
        self.keeper = self.driver()

    @property
    def ledger(self) -> Ledger:
        return self.builder.ledger

    def driver(self, keep_gib: float = 10.0) -> FrontierWeights:
        """Another driver, which begins with what is on disk."""
        self.keeper = FrontierWeights(Ledger(self.ledger.directory), keep_gib)
        return self.keeper

    def trial(self, model: str, method: str, seed: int) -> PlannedTrial:
        return next(t for t in self.planned if (t.cell.model, t.cell.method, t.seed) == (model, method, seed))

    def end(
        self,
        trial: PlannedTrial,
        quality: float,
        seconds: float,
        *,
        dev: float | None = None,
        test: Metrics | None = None,
        **more: Any,
    ) -> Path:
        """A finished attempt with its weights, which the driver has not heard of."""
        scores = {PRIMARY[TaskKind.CLASSIFICATION]: MetricValue(value=quality if dev is None else dev)}
        more.setdefault("keep_weights", "frontier")
        outcome = {"dev": scores, "saved_bytes": SIZE} | ({} if test is None else {"test": test})
        fate = Fate(seconds=seconds, quality=quality, outcome=outcome, **more)
        attempt = self.builder.attempt(trial, fate)
        (attempt / layout.MODEL).mkdir()
        (attempt / layout.MODEL / "model.safetensors").write_bytes(b"x" * SIZE)
        return attempt

    def hear(self, trial: PlannedTrial, quality: float, seconds: float, **more: Any) -> KeptWeights:
        self.end(trial, quality, seconds, **more)
        return self.keeper.ended([trial])

    def fail(self, trial: PlannedTrial, kind: FailureKind) -> KeptWeights:
        self.builder.attempt(trial, Fate(failure=kind, keep_weights="frontier"))
        return self.keeper.ended([trial])

    def there(self) -> set[str]:
        """Names of the trials that have whole models."""
        trials = self.ledger.directory / layout.TRIALS
        return {
            path.parent.parent.relative_to(trials).as_posix()
            for path in trials.glob(f"{layout.ATTEMPTS}/{layout.MODEL}")
        }


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return begun(tmp_path, seeds=(1,))


@pytest.fixture
def two_seeds(tmp_path: Path) -> Sweep:
    return begun(tmp_path, seeds=(1, 2))


def begun(directory: Path, seeds: tuple[int, ...]) -> Sweep:
    made = Sweep(directory, domains=("clinical",), seeds=seeds)
    assert made.builder.sweep is not None
    made.keeper.follow(made.builder.sweep)
    return made


def test_a_dominated_cell_loses_its_whole_model(sweep: Sweep) -> None:
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.hear(large, quality=0.8, seconds=200.0)
    assert sweep.there() == {large.name}
    chosen = sweep.hear(small, quality=0.9, seconds=100.0)
    assert sweep.there() == {small.name}
    assert chosen.dropped == {large.name: DropReason.DOMINATED}
    assert sweep.ledger.weights() == chosen


def test_cells_that_trade_quality_for_cost_all_stay(sweep: Sweep) -> None:
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.hear(large, quality=0.9, seconds=200.0)
    sweep.hear(small, quality=0.8, seconds=100.0)
    assert sweep.there() == {small.name, large.name}


def test_an_adapter_dominates_a_whole_model_and_stays_itself_when_dominated(sweep: Sweep) -> None:
    whole, adapter = sweep.trial("tiny", "full", 1), sweep.trial("tiny", "lora-r8", 1)
    sweep.hear(whole, quality=0.8, seconds=100.0)
    sweep.hear(adapter, quality=0.9, seconds=60.0)
    assert sweep.there() == {adapter.name}
    better = sweep.trial("mini", "full", 1)
    sweep.hear(better, quality=0.95, seconds=30.0)
    assert sweep.there() == {adapter.name, better.name}


def test_of_the_seeds_of_a_cell_the_best_on_dev_stays(two_seeds: Sweep) -> None:
    """That is the seed that `frontier export` takes."""
    first, second = two_seeds.trial("tiny", "full", 1), two_seeds.trial("tiny", "full", 2)
    two_seeds.hear(first, quality=0.8, seconds=100.0, dev=0.7)
    chosen = two_seeds.hear(second, quality=0.7, seconds=100.0, dev=0.9)
    assert two_seeds.there() == {second.name}
    assert chosen.dropped == {first.name: DropReason.OTHER_TRIAL}


def test_a_record_of_before_there_were_folds_is_read() -> None:
    older = {"keep_gib": 10.0, "dropped": {"a": "the model of another seed of its cell was kept"}}
    assert KeptWeights.model_validate(older).dropped == {"a": DropReason.OTHER_TRIAL}
    assert KeptWeights.model_validate_json(json.dumps(older)).dropped == {"a": DropReason.OTHER_TRIAL}


def test_over_the_limit_the_recommended_cell_stays(tmp_path: Path) -> None:
    """The cheapest within one point of the best comes first, then the others by quality."""
    sweep = Sweep(tmp_path, models=("tiny", "mini", "base"), domains=("clinical",), seeds=(1,))
    sweep.driver(keep_gib=2.5 * SIZE / GIB).follow(sweep.builder.sweep)
    tiny, mini, base = (sweep.trial(model, "full", 1) for model in ("tiny", "mini", "base"))
    sweep.hear(base, quality=0.9, seconds=400.0)
    sweep.hear(tiny, quality=0.5, seconds=100.0)
    chosen = sweep.hear(mini, quality=0.895, seconds=200.0)
    assert [model.trial for model in chosen.kept] == [mini.name, base.name]
    assert chosen.over_limit == (tiny.name,)
    assert sweep.there() == {mini.name, base.name}
    printed = io.StringIO()
    show_status(sweep.ledger, Console(file=printed, width=200))
    assert (
        f"1 whole model that no other cell beats did not fit in keep_gib: {tiny.name}" in printed.getvalue()
    )
    assert status_json(sweep.ledger)["weights"]["over_limit"] == [tiny.name]


def test_each_task_has_a_frontier_of_its_own(tmp_path: Path) -> None:
    tasks = (task("outcome"), task("triage"))
    sweep = Sweep(
        tmp_path, models=("tiny",), domains=("clinical",), methods=("full",), seeds=(1,), tasks=tasks
    )
    sweep.keeper.follow(sweep.builder.sweep)
    for trial, quality in zip(sweep.planned, (0.9, 0.5), strict=True):
        sweep.hear(trial, quality=quality, seconds=100.0)
    assert sweep.there() == {trial.name for trial in sweep.planned}


def test_weights_that_were_saved_under_another_rule_stay(sweep: Sweep) -> None:
    """Those of `keep_weights: all`, say, when the sweep file changes."""
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.end(large, quality=0.8, seconds=200.0, keep_weights="all")
    sweep.hear(small, quality=0.9, seconds=100.0)
    assert sweep.driver().follow(sweep.builder.sweep).dropped == {}
    assert sweep.there() == {small.name, large.name}


def test_what_a_killed_driver_left_undecided_is_decided_by_the_next_one(sweep: Sweep) -> None:
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.hear(large, quality=0.8, seconds=200.0)
    sweep.end(small, quality=0.9, seconds=100.0)  # the driver is killed before it hears of it
    assert sweep.there() == {small.name, large.name}
    sweep.driver().follow(sweep.builder.sweep)
    assert sweep.there() == {small.name}


def test_a_deletion_that_was_interrupted_is_ended(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model disappears by a rename, so that nobody reads half of it."""
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.hear(large, quality=0.8, seconds=200.0)

    def killed(path: Path, ignore_errors: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.tracking.leftovers.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep.hear(small, quality=0.9, seconds=100.0)
    assert sweep.there() == {small.name}
    assert sweep.ledger.weights() is not None
    left = list(sweep.ledger.directory.rglob(f"*{layout.DROPPED}"))
    assert len(left) == 1
    sweep.driver().follow(sweep.builder.sweep)
    assert not left[0].exists()
    assert sweep.there() == {small.name}


def test_what_stays_is_written_down_before_anything_goes(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.hear(large, quality=0.8, seconds=200.0)

    def refused(ledger: Ledger, weights: KeptWeights) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "write_weights", refused)
        with pytest.raises(OSError, match="full"):
            sweep.hear(small, quality=0.9, seconds=100.0)
    assert sweep.there() == {small.name, large.name}


def test_stale_weights_stay_until_their_trial_has_finished_again(sweep: Sweep) -> None:
    trial = sweep.trial("tiny", "full", 1)
    sweep.end(trial, quality=0.8, seconds=100.0, fingerprint="0" * 16)
    sweep.driver().follow(sweep.builder.sweep)
    assert sweep.there() == {trial.name}
    newest = sweep.end(trial, quality=0.7, seconds=100.0)
    sweep.keeper.ended([trial])
    assert [path.parent for path in sweep.ledger.directory.rglob(layout.MODEL)] == [newest]


def test_stale_weights_go_first_where_room_is_short(sweep: Sweep) -> None:
    old, new = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.end(old, quality=0.8, seconds=100.0, fingerprint="0" * 16)
    sweep.end(new, quality=0.7, seconds=100.0)
    sweep.driver(keep_gib=1.5 * SIZE / GIB).follow(sweep.builder.sweep)
    assert sweep.there() == {new.name}


def test_a_model_larger_than_the_limit_is_named_though_no_worker_wrote_it(sweep: Sweep) -> None:
    trial = sweep.trial("tiny", "full", 1)
    sweep.builder.attempt(trial, Fate(quality=0.8, keep_weights="frontier"))
    assert sweep.keeper.ended([trial]).over_limit == (trial.name,)


def test_attempts_that_failed_keep_no_whole_model(sweep: Sweep) -> None:
    trial = sweep.trial("tiny", "full", 1)
    lost = sweep.builder.attempt(trial, Fate(keep_weights="frontier"))  # killed while it wrote
    (lost / layout.MODEL).mkdir()
    kept = sweep.end(trial, quality=0.8, seconds=100.0)
    sweep.keeper.ended([trial])
    assert [path.parent for path in sweep.ledger.directory.rglob(layout.MODEL)] == [kept]


def test_clean_deletes_what_was_chosen_to_go_and_nothing_that_stays(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.hear(large, quality=0.8, seconds=200.0)
    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.cli.run.frontier_weights.drop", lambda ledger, models: None)
        sweep.hear(small, quality=0.9, seconds=100.0)
    assert sweep.there() == {small.name, large.name}
    undecided = sweep.trial("mini", "lora-r8", 1)
    sweep.end(undecided, quality=0.1, seconds=500.0)
    clean(sweep)
    assert sweep.there() == {small.name, undecided.name}


def test_export_says_why_there_are_no_weights_and_which_seed_has_some(
    two_seeds: Sweep, tmp_path: Path
) -> None:
    first, second = two_seeds.trial("tiny", "full", 1), two_seeds.trial("tiny", "full", 2)
    two_seeds.hear(first, quality=0.8, seconds=100.0, dev=0.7)
    two_seeds.hear(second, quality=0.8, seconds=100.0, dev=0.9)
    said = refusal(two_seeds, first, tmp_path)
    assert "(keep_weights: frontier; the model of another trial of its cell was kept)" in said
    assert "pass --retrain, which trains this trial once more and keeps them; or take the seed" in said
    assert "--seed 2" in said


def test_a_cell_that_is_beaten_so_far_keeps_its_models_until_all_seeds_have_ended(two_seeds: Sweep) -> None:
    """Both cells end on the frontier, the one that was beaten at first with the best score."""
    sweep, trial = two_seeds, two_seeds.trial
    sweep.hear(trial("tiny", "full", 1), quality=0.85, seconds=200.0)
    sweep.hear(trial("mini", "full", 1), quality=0.90, seconds=100.0)
    sweep.hear(trial("tiny", "full", 2), quality=0.85, seconds=200.0, dev=0.8)
    assert trial("tiny", "full", 1).name in sweep.there()
    chosen = sweep.hear(trial("mini", "full", 2), quality=0.50, seconds=100.0)
    kept = {trial("tiny", "full", 1).name, trial("mini", "full", 1).name}
    assert sweep.there() == kept
    assert set(chosen.dropped.values()) == {DropReason.OTHER_TRIAL}


def test_a_cell_goes_once_one_that_beats_it_has_ended(two_seeds: Sweep) -> None:
    sweep, trial = two_seeds, two_seeds.trial
    for seed in (1, 2):
        sweep.hear(trial("mini", "full", seed), quality=0.8, seconds=200.0)
    sweep.hear(trial("tiny", "full", 1), quality=0.9, seconds=100.0)
    assert sweep.there() == {trial("mini", "full", 1).name, trial("tiny", "full", 1).name}
    chosen = sweep.hear(trial("tiny", "full", 2), quality=0.9, seconds=100.0)
    assert sweep.there() == {trial("tiny", "full", 1).name}
    assert chosen.dropped[trial("mini", "full", 1).name] is DropReason.DOMINATED


def test_a_seed_that_is_not_yet_the_best_on_dev_stays_while_others_run(tmp_path: Path) -> None:
    sweep = begun(tmp_path, seeds=(1, 2, 3))
    first, second, third = (sweep.trial("tiny", "full", seed) for seed in (1, 2, 3))
    sweep.hear(first, quality=0.8, seconds=100.0, dev=0.7)
    sweep.hear(second, quality=0.8, seconds=100.0, dev=0.9)
    assert sweep.there() == {first.name, second.name}
    sweep.hear(third, quality=0.8, seconds=100.0, dev=0.8)
    assert sweep.there() == {second.name}


def test_undecided_models_make_room_for_those_on_the_frontier(two_seeds: Sweep, tmp_path: Path) -> None:
    """The cell that lost its model ends on the frontier, and `export` says what happened."""
    sweep, trial = two_seeds, two_seeds.trial
    sweep.driver(keep_gib=1.5 * SIZE / GIB).follow(sweep.builder.sweep)
    lost, kept = trial("tiny", "full", 1), trial("mini", "full", 1)
    sweep.hear(lost, quality=0.85, seconds=200.0)
    chosen = sweep.hear(kept, quality=0.90, seconds=100.0)
    assert sweep.there() == {kept.name}
    assert chosen.dropped == {lost.name: DropReason.DOMINATED}
    sweep.driver(keep_gib=10.0).follow(sweep.builder.sweep)
    sweep.hear(trial("mini", "full", 2), quality=0.50, seconds=100.0)
    chosen = sweep.fail(trial("tiny", "full", 2), FailureKind.OUT_OF_MEMORY)
    assert chosen.dropped[lost.name] is DropReason.EARLIER
    said = refusal(sweep, lost, tmp_path)
    assert "it was dropped earlier, for room or while another cell beat its own)" in said
    assert "pass --retrain" in said


def test_failed_trials_may_be_retried_until_the_run_ends(two_seeds: Sweep) -> None:
    sweep, trial = two_seeds, two_seeds.trial
    sweep.hear(trial("tiny", "full", 1), quality=0.9, seconds=100.0)
    sweep.fail(trial("tiny", "full", 2), FailureKind.OUT_OF_MEMORY)
    for seed in (1, 2):
        sweep.hear(trial("mini", "full", seed), quality=0.8, seconds=200.0)
    kept = {trial("tiny", "full", 1).name, trial("mini", "full", 1).name}
    assert sweep.there() == kept
    sweep.keeper.finish()
    assert sweep.there() == {trial("tiny", "full", 1).name}


def test_a_run_that_ends_before_all_trials_have_begun_leaves_their_cells_undecided(two_seeds: Sweep) -> None:
    """A budget ended it, say; the next run may change the order."""
    sweep, trial = two_seeds, two_seeds.trial
    sweep.hear(trial("tiny", "full", 1), quality=0.85, seconds=200.0)
    sweep.hear(trial("mini", "full", 1), quality=0.90, seconds=100.0)
    sweep.keeper.finish()
    assert sweep.there() == {trial("tiny", "full", 1).name, trial("mini", "full", 1).name}


def test_cells_without_a_comparable_cost_keep_their_models(tmp_path: Path) -> None:
    """They shared a GPU without a calibration: no cell provably beats another."""
    shared = Resources(gpus=0.5)
    sweep = Sweep(tmp_path, domains=("clinical",), methods=("full",), seeds=(1, 2), resources=shared)
    sweep.keeper.follow(sweep.builder.sweep)
    for trial in sweep.planned:
        sweep.hear(
            trial, quality=0.9 if trial.cell.model == "mini" else 0.5, seconds=100.0, device_type="A100"
        )
    assert sweep.there() == {sweep.trial(model, "full", 1).name for model in ("tiny", "mini")}


def test_a_cell_without_a_score_keeps_its_model_after_those_on_the_frontier(sweep: Sweep) -> None:
    scored, unscored = sweep.trial("mini", "full", 1), sweep.trial("tiny", "full", 1)
    missing = {PRIMARY[TaskKind.CLASSIFICATION]: MetricValue(missing="no test part")}
    sweep.hear(unscored, quality=0.9, seconds=50.0, test=missing)
    chosen = sweep.hear(scored, quality=0.5, seconds=100.0)
    assert [model.trial for model in chosen.kept] == [scored.name, unscored.name]
    chosen = sweep.driver(keep_gib=1.5 * SIZE / GIB).follow(sweep.builder.sweep)
    assert sweep.there() == {scored.name}
    assert chosen.over_limit == (unscored.name,)


def test_clean_leaves_the_result_of_a_later_attempt_than_the_one_that_was_dropped(sweep: Sweep) -> None:
    """Its settings changed, it finished again, and the driver was killed before it chose."""
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    sweep.end(large, quality=0.8, seconds=200.0, fingerprint="0" * 16)
    sweep.end(small, quality=0.9, seconds=100.0)
    weights = KeptWeights(keep_gib=10.0, dropped={large.name: DropReason.DOMINATED}, attempts={large.name: 1})
    sweep.ledger.write_weights(weights)
    sweep.end(large, quality=0.95, seconds=200.0)
    clean(sweep)
    assert sweep.there() == {small.name, large.name}


def test_clean_deletes_nothing_by_a_record_that_names_no_attempts(sweep: Sweep) -> None:
    large = sweep.trial("mini", "full", 1)
    sweep.end(large, quality=0.8, seconds=200.0)
    old = (
        f'{{"keep_gib": 10.0, "kept": [], "dropped": {{"{large.name}": "its cell is not on the frontier"}}}}'
    )
    (sweep.ledger.directory / layout.WEIGHTS).write_text(old)
    clean(sweep)
    assert sweep.there() == {large.name}


def clean(sweep: Sweep) -> None:
    words = ["clean", str(sweep.ledger.directory), "--yes"]
    CliRunner().invoke(app, words, catch_exceptions=False)


def refusal(sweep: Sweep, trial: PlannedTrial, directory: Path) -> str:
    """Return what `frontier export` says instead of writing the model."""
    words = ["export", str(sweep.ledger.directory), trial.cell.name, "--seed", str(trial.seed)]
    done = CliRunner().invoke(app, [*words, "--out", str(directory / "out")])
    assert isinstance(done.exception, ConfigError)
    return str(done.exception)


def test_models_in_a_store_go_there_as_well(sweep: Sweep, tmp_path: Path) -> None:
    """The driver has records alone; the weights were delivered by the machines that ran the trials."""
    store = DirectoryStore(tmp_path / "bucket")
    mirror = Mirror(store, sweep.ledger.directory)
    keeper = FrontierWeights(Ledger(sweep.ledger.directory, mirror), 10.0)
    keeper.follow(sweep.builder.sweep)
    small, large = sweep.trial("tiny", "full", 1), sweep.trial("mini", "full", 1)
    for trial, quality, seconds in ((large, 0.8, 200.0), (small, 0.9, 100.0)):
        attempt = sweep.end(trial, quality, seconds)
        put_tree(store, mirror.key(attempt / layout.MODEL), attempt / layout.MODEL)
        (attempt / layout.MODEL / "model.safetensors").unlink()
        (attempt / layout.MODEL).rmdir()
        keeper.ended([trial])
    stored = [key for key in store.listing("demo/trials") if f"/{layout.MODEL}/" in key]
    assert stored
    assert all(key.startswith(f"demo/trials/{small.name}/") for key in stored)
    assert any(key.endswith(MARKER) for key in stored)


def test_only_a_sweep_with_full_fine_tuning_and_this_rule_has_a_keeper(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    builder.plan(methods=("lora-r8",))
    assert builder.sweep is not None
    assert keeper_of(builder.ledger, builder.sweep, "frontier", 10.0) is None
    builder.plan(methods=("full",))
    assert keeper_of(builder.ledger, builder.sweep, "all", 10.0) is None
    assert keeper_of(builder.ledger, builder.sweep, "frontier", 10.0) is not None


def folded(directory: Path, kind: TaskKind = TaskKind.CLASSIFICATION, **plan: Any) -> Sweep:
    """A sweep of two seeds of two folds."""
    hold_out = HoldOut(dev=0.2, folds=2)
    letters = task("letters", kind)
    held_out = {"files": {Split.TRAIN: ("a.csv",)}, "hold_out": hold_out}
    letters = letters.model_copy(update={"reader": letters.reader.model_copy(update=held_out)})
    grid = {"models": ["tiny"], "domains": ["general"], "methods": ["full"], "tasks": [letters]}
    sweep = Sweep(directory, **{**grid, **plan}, seeds=[1, 2])
    assert sweep.builder.sweep is not None
    sweep.keeper.follow(sweep.builder.sweep)
    return sweep


def short(names: Iterable[str]) -> set[str]:
    return {name.rpartition("/")[2] for name in names}


def ranked(sweep: Sweep) -> list[RankedCell]:
    so_far = FrontierSoFar(sweep.ledger.sweep(), sweep.ledger.examples)
    for cell in dict.fromkeys(trial.cell for trial in sweep.planned):
        so_far.put(cell, [sweep.ledger.trial(trial) for trial in sweep.planned if trial.cell == cell])
    return list(so_far.ranked("letters", retries=False))


FOLDS = [f"seed-{seed}-fold-{fold}" for seed in (1, 2) for fold in (1, 2)]


def test_models_of_folds_stay_until_their_seeds_are_complete_and_then_the_best_on_dev(
    tmp_path: Path,
) -> None:
    sweep, devs = folded(tmp_path), iter((0.7, 0.9, 0.8, 0.6))
    kept = [
        short(model.trial for model in sweep.hear(trial, 0.8, 100, dev=next(devs)).kept)
        for trial in sweep.planned
    ]
    assert kept == [set(FOLDS[:1]), set(FOLDS[:2]), set(FOLDS[:3]), {"seed-1-fold-2"}]


def test_a_failed_fold_ends_no_seed_whose_other_folds_have_not_run(tmp_path: Path) -> None:
    sweep = folded(tmp_path, models=["tiny", "mini"])
    tiny, mini = ([t for t in sweep.planned if t.cell.model == model] for model in ("tiny", "mini"))
    for trial in tiny:
        sweep.hear(trial, quality=0.75, seconds=60.0)
    for trial in mini[:2]:
        sweep.hear(trial, quality=0.7, seconds=100.0)
    sweep.fail(mini[2], FailureKind.DIVERGED)
    sweep.keeper.finish()
    assert {trial.name for trial in mini[:2]} <= sweep.there()


def test_models_of_folds_are_ranked_by_the_score_that_the_report_gives(tmp_path: Path) -> None:
    """By all answers the first model is the better one, by the mean of its folds the second."""
    sweep = folded(tmp_path, TaskKind.NER, models=["tiny", "mini"])
    right_of = {"tiny": ((540, 600), (36, 120)), "mini": ((480, 600), (72, 120))}
    for trial in sweep.planned:
        assert trial.fold is not None
        right, of = right_of[trial.cell.model][trial.fold.number - 1]
        score = {MetricName.ENTITY_F1: MetricValue(value=right / of)}
        attempt = sweep.end(trial, right / of, 60.0 if trial.cell.model == "tiny" else 100.0, test=score)
        numbers = [np.zeros(2), np.zeros(2)]
        numbers[0][trial.fold.number - 1], numbers[1][trial.fold.number - 1] = right, of
        told = ScoredExamples(MetricName.ENTITY_F1, "t", floats(numbers[0]), floats(numbers[1]))
        (attempt / layout.EXAMPLES).write_bytes(told.to_bytes())
        sweep.keeper.ended([trial])
    assert {name.partition("/")[0] for name in sweep.there()} == {"tiny"}


def test_folds_on_another_device_keep_their_models_or_have_a_reason(tmp_path: Path) -> None:
    sweep = folded(tmp_path)
    devices = ["NVIDIA A100", "NVIDIA A100", "NVIDIA A100", "NVIDIA L4"]
    for trial, device in zip(sweep.planned, devices, strict=True):
        chosen = sweep.hear(trial, quality=0.7, seconds=100.0, device_type=device)
    assert short(model.trial for model in chosen.kept) == {*FOLDS}
    [cell] = ranked(sweep)
    assert short(seed.name for seed in cell.seeds) == {*FOLDS}


def test_a_cell_whose_one_seed_failed_in_all_folds_is_ranked_once(tmp_path: Path) -> None:
    sweep = folded(tmp_path)
    for trial in sweep.planned[:2]:
        sweep.fail(trial, FailureKind.COLLAPSED)
    chosen = sweep.hear(sweep.planned[2], quality=0.7, seconds=100.0)
    assert short(model.trial for model in chosen.kept) == {FOLDS[2]}
    [cell] = ranked(sweep)
    assert short(seed.name for seed in cell.seeds) == {FOLDS[2]}
