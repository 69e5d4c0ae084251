"""Seeds govern everything, and an interruption changes nothing. On the CPU, to the last bit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal

import pytest
from stopped_attempts import run_until

import workers.train
from orchestrator.contracts.backbone import FolderWeights
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import FailureKind, Phase, TaskKind
from workers.checkpoint import Checkpoint, UnreadableCheckpointError, saved
from workers.runtime.attempt import run_attempt


def weights_of(order) -> str:
    """A digest of the kept weights."""
    files = sorted((order.parent / "model").glob("*.safetensors"))
    assert files
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@pytest.mark.parametrize("method", ["full", "lora"])
def test_one_seed_twice_is_identical_and_three_seeds_differ(lab, outcome_of, method):
    orders = [lab.order(method, seed=seed, keep_weights="all") for seed in (12, 12, 34, 56)]
    for order in orders:
        run_attempt(order)
    first, again, *others = (weights_of(order) for order in orders)
    assert first == again
    assert len({first, *others}) == 3
    assert outcome_of(orders[0]).test == outcome_of(orders[1]).test


@pytest.mark.parametrize("method", ["full", "adalora", "head-only"])
@pytest.mark.parametrize("step", [2, 6, 11])  # in mid-epoch, at the end of one, one before the last
def test_resumed_equals_uninterrupted(lab, outcome_of, method, step):
    recipe = {"evaluations_per_epoch": 2, "micro_batch_size": 4}
    whole = lab.order(method, TaskKind.NER, recipe=recipe, keep_weights="all")
    run_attempt(whole)
    broken = lab.order(method, TaskKind.NER, recipe=recipe, keep_weights="all")
    run_until(broken, step)
    [checkpoint] = saved(broken.parent / "checkpoint")
    assert checkpoint.name == f"step-{step}"
    resumed = lab.order(method, TaskKind.NER, recipe=recipe, keep_weights="all", resume_from=str(checkpoint))
    run_attempt(resumed)
    assert weights_of(resumed) == weights_of(whole)
    expected, got = outcome_of(whole), outcome_of(resumed)
    for name in ("test", "dev", "best_step", "steps", "epochs", "train_tokens"):
        assert getattr(got, name) == getattr(expected, name), name
    assert got.resumed_from_step == step
    assert got.inherited_phases
    if method != "head-only":  # which reads again what it has kept (`test_frozen`)
        assert got.result_work.tokens == expected.result_work.tokens
        assert got.result_work.flops == pytest.approx(expected.result_work.flops)
        both = [part[Phase.TRAIN].tokens for part in (got.work, got.inherited_work)]
        assert sum(both) == got.train_tokens == expected.work[Phase.TRAIN].tokens
    assert sum(got.phases.values()) == pytest.approx(got.ended_at - got.started_at, abs=1e-6)


def without_dropout(lab, folder):
    """The lab's backbone with its dropout off: passes of other sizes draw other masks."""
    shutil.copytree(lab.backbone.weights.folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return lab.backbone.model_copy(update={"weights": FolderWeights(folder=str(folder))})


@pytest.mark.parametrize("method", ["full", "adalora"])
def test_the_size_of_a_forward_pass_changes_no_step(lab, outcome_of, events_of, tmp_path, method):
    """The mean is over the words of the whole batch: a pass with few words weighs less."""
    backbone = without_dropout(lab, tmp_path / "still")
    curves, scores = [], []
    for size in (None, 4, 1):
        recipe = {"evaluations_per_epoch": 6}  # the loss is written down at each
        order = lab.order(method, TaskKind.NER, recipe=recipe, backbone=backbone, micro_batch_size=size)
        run_attempt(order)
        outcome = outcome_of(order)
        assert outcome.micro_batch_size == (size or 8)
        scores.append(outcome.test[MetricName.LOSS].value)
        curves.append([event.loss for event in events_of(order) if event.event == "step"])
    assert len(curves[0]) == 12
    for curve, score in zip(curves[1:], scores[1:], strict=True):
        assert curve == pytest.approx(curves[0], rel=1e-4)
        assert score == pytest.approx(scores[0], rel=1e-4)


def test_checkpoints_come_at_evaluations_and_only_the_newest_two_stay(lab, events_of):
    order = lab.order(recipe={"epochs": 4}, checkpoint_seconds=0)
    kept = []
    original = shutil.rmtree

    def keep_at_the_end(path, *args, **kwargs):
        if getattr(path, "name", "") == "checkpoint":
            kept.extend(place.name for place in saved(path))
        return original(path, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workers.runtime.attempt.shutil.rmtree", keep_at_the_end)
        run_attempt(order)
    assert kept == ["step-18", "step-24"]
    assert [event.step for event in events_of(order) if event.event == "checkpoint"] == [6, 12, 18, 24]


def test_a_damaged_checkpoint_costs_time_and_not_the_trial(lab, outcome_of):
    broken = lab.order()
    run_until(broken, 3)
    [checkpoint] = saved(broken.parent / "checkpoint")
    state = checkpoint / "state.pt"
    state.write_bytes(state.read_bytes()[:100])
    order = lab.order(resume_from=str(checkpoint))
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.state == "finished"
    assert outcome.resumed_from_step is None


def test_the_checkpoint_of_another_trial_is_not_taken(lab):
    order = lab.order()
    run_until(order, 3)
    with pytest.raises(UnreadableCheckpointError, match="another trial"):
        Checkpoint(saved(order.parent / "checkpoint")[0], "fedcba9876543210")


def test_sigterm_ends_in_a_preempted_outcome_with_a_checkpoint(lab, outcome_of, monkeypatch):
    original = workers.train.optimiser_step
    steps = []

    def counting(*args, **kwargs):
        steps.append(1)
        if len(steps) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*args, **kwargs)

    monkeypatch.setattr(workers.train, "optimiser_step", counting)
    order = lab.order()
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure.kind is FailureKind.PREEMPTED
    assert outcome.steps == 4
    assert [place.name for place in saved(order.parent / "checkpoint")] == ["step-4"]
