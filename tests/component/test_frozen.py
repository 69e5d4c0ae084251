"""Head-only keeps what its frozen backbone answers: losses stay, and the backbone reads each text once."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from short_texts import BATCH, PASS, SCORED, data_of, order
from stopped_attempts import run_until
from tiny_models import adapted_tiny, blank_tiny, training_context

from orchestrator.contracts.backbone import FolderWeights
from orchestrator.contracts.methods.weights import HeadOnly
from orchestrator.contracts.vocabulary import Phase, TaskKind
from workers import evaluate, frozen
from workers.batches import FlatSplit, epoch_batches
from workers.demo.tiny import ARCHITECTURES
from workers.frozen import KeptSplit, splits_on_device
from workers.metering.flops import operations_of, operations_past_backbone
from workers.metering.passes import Passes
from workers.runtime.attempt import run_attempt
from workers.train import adam_w, optimiser_step

CPU = torch.device("cpu")
EPOCHS = 3


class Training:
    """Head-only of a tiny model over three epochs: the losses of its steps, and the answers on dev after each
    epoch. `kept`: as the product does it; else by ordinary passes."""

    def __init__(
        self, architecture: str, kind: TaskKind, patch: pytest.MonkeyPatch, *, kept: bool, pairs: bool = False
    ) -> None:
        adapted = adapted_tiny(architecture, HeadOnly(), kind, seed=3)
        data = data_of(kind, pairs)
        with patch.context() as patched:
            if not kept:
                patched.setattr(frozen, "MOST_BYTES", 0)
            self.train, self.dev = splits_on_device(adapted, data, order(), CPU)
        self.losses, self.answers = list[float](), list[list[float]]()
        optimiser = adam_w(adapted.model, SimpleNamespace(weight_decay=0.01, learning_rate=1e-2))
        around = training_context(CPU)
        torch.manual_seed(11)
        for epoch in range(EPOCHS):
            adapted.train_mode()
            for rows in self.train.rows(epoch_batches(self.train.lengths, BATCH, 1, epoch)):
                step = adapted, adapted.model, optimiser, self.train, rows, 1e-2, around
                self.losses.append(optimiser_step(*step).item())
            logits, loss = evaluate._answers(adapted.model, self.dev, SCORED, evaluate.ALONE)
            real = [row[: len(ids)] for row, ids in zip(logits, data.dev.input_ids, strict=True)]
            words = real if kind is TaskKind.NER else logits
            self.answers.append([loss, *np.concatenate([row.ravel() for row in words])])


def agree(architecture: str, kind: TaskKind, patch: pytest.MonkeyPatch, pairs: bool = False) -> None:
    found = Training(architecture, kind, patch, kept=True, pairs=pairs)
    expected = Training(architecture, kind, patch, kept=False, pairs=pairs)
    assert isinstance(found.train, KeptSplit)
    assert type(expected.train) is FlatSplit
    first_epoch = len(found.losses) // EPOCHS
    assert found.losses[:first_epoch] == expected.losses[:first_epoch], "its passes are the ordinary ones"
    assert found.losses == pytest.approx(expected.losses, abs=1e-5)
    for answer, wanted in zip(found.answers, expected.answers, strict=True):
        assert answer == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.NER])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_losses_and_answers_are_those_of_ordinary_passes(architecture, kind, monkeypatch):
    agree(architecture, kind, monkeypatch)


@pytest.mark.parametrize("kind", [TaskKind.RELATION, TaskKind.MULTILABEL, TaskKind.CLASSIFICATION])
def test_every_kind_of_task_and_pairs(kind, monkeypatch):
    agree("bert", kind, monkeypatch, pairs=True)


@pytest.mark.parametrize(
    ("architecture", "read"),
    [("bert", "_first"), ("modernbert", "_first"), ("llama", "_last"), ("eurobert", None)],
)
def test_of_a_text_the_state_that_its_head_reads_is_kept(architecture, read, monkeypatch):
    one = Training(architecture, TaskKind.CLASSIFICATION, monkeypatch, kept=True).train._kept.one
    assert getattr(one, "__name__", None) == read


def without_pooler(lab: Any, folder: Any) -> Any:
    """Return the lab's backbone from weights that lack its pooler, which then trains with the head."""
    shutil.copytree(lab.backbone.weights.folder, folder)
    file = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(file).items() if "pooler" not in name}
    save_file(kept, file, metadata={"format": "pt"})
    return lab.backbone.model_copy(update={"weights": FolderWeights(folder=str(folder))})


def test_a_pooler_that_trains_with_the_head_learns_the_same(lab, outcome_of, monkeypatch, tmp_path):
    backbone = without_pooler(lab, tmp_path / "no-pooler")
    orders = [lab.order("head-only", recipe={"epochs": 4}, backbone=backbone) for _ in range(2)]
    run_attempt(orders[0])
    monkeypatch.setattr(frozen, "MOST_BYTES", 0)
    run_attempt(orders[1])
    kept, ordinary = map(outcome_of, orders)
    assert kept.parameters.head > kept.parameters.total / 50, "the pooler trains"
    for part in ("dev", "test"):
        values = [{k: v.value for k, v in getattr(each, part).items()} for each in (kept, ordinary)]
        assert values[0] == pytest.approx(values[1], abs=1e-5)
    trained = [each.work[Phase.TRAIN] for each in (kept, ordinary)]
    assert ordinary.train_tokens == kept.train_tokens == trained[1].tokens
    assert trained[0].tokens == trained[1].tokens / 4, "the backbone reads a text in the first epoch alone"
    assert trained[0].flops == pytest.approx(trained[1].flops / 4, rel=0.05)  # other batches pad otherwise
    assert kept.work[Phase.EVALUATE].tokens == ordinary.work[Phase.EVALUATE].tokens / 4


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.NER])
@pytest.mark.parametrize("step", [3, 8])  # in the first epoch, and in the second
def test_an_attempt_that_resumes_reads_what_it_needs_again(lab, outcome_of, kind, step):
    """`test_repeat` compares it with one that was not interrupted, to the last bit."""
    recipe = {"epochs": 3, "micro_batch_size": 4}
    broken = lab.order("head-only", kind, recipe=recipe)
    run_until(broken, step)
    [checkpoint] = (broken.parent / "checkpoint").iterdir()
    resumed = lab.order("head-only", kind, recipe=recipe, resume_from=str(checkpoint))
    run_attempt(resumed)
    outcome = outcome_of(resumed)
    epoch = outcome.train_tokens / 3
    assert outcome.work[Phase.TRAIN].tokens == epoch, "each text once"
    assert outcome.inherited_work[Phase.TRAIN].tokens == pytest.approx(min(1, step / 6) * epoch, rel=0.3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_has_its_own_operations(architecture):
    """Those of its products of one state, forward and backward, by hand."""
    blank = blank_tiny(architecture, HeadOnly())
    whole, head = operations_of(blank), operations_past_backbone(blank)
    sizes = [p.numel() for name, p in blank.named_parameters() if p.requires_grad and p.ndim == 2]
    if architecture in ("albert", "bert"):  # what the pooler makes of the state is computed as well
        sizes.append(blank.config.hidden_size**2)
    if architecture != "eurobert":  # which reads all states
        assert head.of(5, 1, training=False) == 5 * 2 * sum(sizes)
    assert head.of(5, 9, training=False) < whole.of(5, 9, training=False) / 4
    assert head.forward.square == pytest.approx(0, abs=1e-6)
    assert operations_of(blank) == whole
    assert blank.base_model.forward.__self__ is blank.base_model


def test_a_pass_of_the_head_alone_has_no_tokens():
    adapted, blank = adapted_tiny("bert", HeadOnly()), blank_tiny("bert", HeadOnly())
    operations, head, passes = operations_of(blank), operations_past_backbone(blank), Passes()
    passes.watch(adapted.model, operations, of_head=head)
    training = splits_on_device(adapted, data_of(TaskKind.CLASSIFICATION), order(), CPU)[0]
    passes.lap()
    [rows] = training.rows([training._passes[0]])
    for _ in range(2):
        adapted.model(**training.batch(rows).inputs)
    flops = operations.of(PASS, max(training.lengths[i] for i in rows.places), training=True)
    tokens = sum(training.lengths[i] for i in rows.places)
    assert passes.lap() == {"tokens": tokens, "flops": flops + head.of(PASS, 1, training=True)}


def test_states_that_take_too_much_are_not_kept(monkeypatch):
    taken = 22 * 32 * 4 + 9 * 32 * 4
    for most, kind in [(taken, KeptSplit), (taken - 1, FlatSplit)]:
        monkeypatch.setattr(frozen, "MOST_BYTES", most)
        adapted, data = adapted_tiny("bert", HeadOnly()), data_of(TaskKind.CLASSIFICATION)
        assert {type(part) for part in splits_on_device(adapted, data, order(), CPU)} == {kind}
