"""An attempt from its order to its outcome, in this process."""

from __future__ import annotations

import pytest

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import FailureKind, Phase, TaskKind
from workers import trial
from workers.runtime.attempt import run_attempt


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.NER])
@pytest.mark.parametrize("method", ["full", "head-only", "lora", "ia3"])
def test_every_method_trains_and_is_scored(lab, outcome_of, events_of, method, kind):
    order = lab.order(method, kind, recipe={"evaluations_per_epoch": 2})
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    assert outcome.steps == outcome.planned_steps == 12
    assert outcome.epochs == 2.0
    assert outcome.metric in outcome.test
    assert outcome.test[MetricName.LOSS].value is not None
    assert outcome.rows == {
        "train": 42, "train_available": 42, "dev": 16, "dev_available": 16, "test": 16,
    }  # fmt: skip
    evaluations = [event for event in events_of(order) if event.event == "evaluation"]
    assert [(event.step, event.epoch) for event in evaluations] == [(3, 0.5), (6, 1.0), (9, 1.5), (12, 2.0)]
    best = next(event for event in evaluations if event.step == outcome.best_step)
    assert best.best
    assert best.metrics == outcome.dev
    assert not (order.parent / "checkpoint").exists()


def test_it_learns_what_the_words_say(lab, outcome_of):
    order = lab.order(recipe={"epochs": 12})
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.test[MetricName.ACCURACY].value > 0.9


def test_phases_add_up_to_the_wall_time(lab, outcome_of):
    order = lab.order()
    run_attempt(order)
    outcome = outcome_of(order)
    assert sum(outcome.phases.values()) == pytest.approx(outcome.ended_at - outcome.started_at, abs=1e-6)
    assert set(outcome.phases) >= {Phase.LOAD, Phase.TOKENISE, Phase.TRAIN, Phase.EVALUATE, Phase.TEST}


def test_tokens_are_real_ones_without_padding(lab, outcome_of):
    order = lab.order(kind=TaskKind.NER, recipe={"epochs": 3, "batch_size": 42})
    run_attempt(order)
    words = (lab.data / "train.tsv").read_text().splitlines()
    halved = {"monday", "and", "or", "since"}  # not whole words of the vocabulary
    count = sum(2 if line.split("\t")[0] in halved else 1 for line in words if line)
    assert outcome_of(order).train_tokens == 3 * (count + 2 * 42)


@pytest.mark.parametrize(("method", "share"), [("full", 1), ("head-only", 1 / 3)])
def test_the_pace_and_the_shares_are_of_tokens_that_the_model_read(lab, outcome_of, method, share):
    order = lab.order(method, recipe={"epochs": 3})
    run_attempt(order)
    outcome = outcome_of(order)
    read = outcome.work[Phase.TRAIN].tokens
    assert read == pytest.approx(share * outcome.train_tokens)
    assert outcome.tokens_per_second == pytest.approx(read / outcome.phases[Phase.TRAIN])
    assert outcome.read_share == pytest.approx(share)
    assert outcome.dev_reads == round(3 * share)


def test_a_cap_takes_fewer_rows_and_says_how_many_there_were(lab, outcome_of):
    order = lab.order(recipe={"train_rows": 10, "dev_rows": 5})
    run_attempt(order)
    rows = outcome_of(order).rows
    assert (rows["train"], rows["train_available"]) == (10, 42)
    assert rows["dev"] == 5 < rows["dev_available"]


def test_a_loss_that_is_not_finite_is_a_failure_of_its_own_kind(lab, outcome_of):
    order = lab.order(recipe={"learning_rate": 1e30, "warmup_ratio": 0.0})
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.state == "failed"
    assert outcome.failure.kind is FailureKind.DIVERGED
    assert outcome.test == {}


def test_missing_data_are_bad_input_in_our_words(lab, outcome_of):
    (lab.data / "dev.jsonl").unlink()
    order = lab.order()
    run_attempt(order)
    failure = outcome_of(order).failure
    assert failure.kind is FailureKind.BAD_INPUT
    assert failure.phase is Phase.TOKENISE
    assert "dev.jsonl" in failure.message


def test_pickled_weights_alone_are_refused(lab, outcome_of, tiny_bert, tmp_path):
    folder = tmp_path / "pickled"
    folder.mkdir()
    for file in tiny_bert.iterdir():
        if file.suffix == ".json":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"anything")
    weights = lab.backbone.weights.model_copy(update={"folder": str(folder)})
    order = lab.order(backbone=lab.backbone.model_copy(update={"weights": weights}))
    run_attempt(order)
    failure = outcome_of(order).failure
    assert failure.kind is FailureKind.BAD_INPUT
    assert "backbone tiny" in failure.message
    assert "pytorch_model.bin" in failure.message
    assert "->" in failure.message


def test_a_bug_names_class_and_places_and_never_the_text_of_the_exception(lab, outcome_of, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the patient said")

    monkeypatch.setattr("workers.trial.evaluate", broken)
    order = lab.order()
    run_attempt(order)
    failure = outcome_of(order).failure
    assert failure.kind is FailureKind.BUG
    assert failure.phase is Phase.TEST
    assert failure.message == "ZeroDivisionError"
    assert failure.places[-1].endswith(" broken")
    assert failure.places[0].startswith("workers/runtime/attempt.py:")
    assert "patient" not in (order.parent / "outcome.json").read_text()


def test_too_little_memory_is_told_from_a_bug(lab, outcome_of, monkeypatch):
    def hungry(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("workers.train.optimiser_step", hungry)
    order = lab.order(micro_batch_size=2)
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure.kind is FailureKind.OUT_OF_MEMORY
    assert outcome.micro_batch_size == 2
    assert "with 2 of 8 examples a forward pass, after 8, 4" in outcome.failure.message


def test_a_candidate_of_a_search_never_looks_at_test_and_keeps_no_weights(lab, outcome_of):
    order = lab.order("lora", candidate=3, keep_weights="all")
    run_attempt(order)
    outcome = outcome_of(order)
    assert (outcome.state, outcome.test) == ("finished", {})
    assert outcome.dev[outcome.metric].value is not None
    assert Phase.TEST not in outcome.phases
    assert outcome.saved_bytes is None
    assert not (order.parent / "model").exists()


def test_an_attempt_that_others_have_gone_on_from_saves_and_finishes_nothing(lab, outcome_of, events_of):
    """It came back from being cut off: its checkpoints are another's now."""
    order = lab.order(checkpoint_seconds=0.0)
    (order.parent.parent / "attempt-999").mkdir()
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure.kind is FailureKind.PREEMPTED
    assert "another attempt" in outcome.failure.message
    assert outcome.test == {}
    assert not any(event.event == "checkpoint" for event in events_of(order))


def test_an_attempt_that_was_closed_meanwhile_leaves_its_checkpoints_and_the_outcome(lab, monkeypatch):
    order = lab.order(checkpoint_seconds=0.0)
    closed, tested = b"closed by the driver", trial.evaluate

    def late(*arguments: object, **settings: object) -> object:
        (order.parent / "outcome.json").write_bytes(closed)
        return tested(*arguments, **settings)

    monkeypatch.setattr("workers.trial.evaluate", late)
    run_attempt(order)
    assert (order.parent / "outcome.json").read_bytes() == closed
    assert any((order.parent / "checkpoint").iterdir())
