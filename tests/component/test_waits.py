"""A training step neither reads from the device nor copies to it: Python runs ahead of a GPU."""

from __future__ import annotations

import traceback
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import adapted_tiny, training_context
from torch.utils._python_dispatch import TorchDispatchMode

from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full, HeadOnly
from orchestrator.contracts.trial import Resources
from orchestrator.contracts.vocabulary import Precision, TaskKind
from workers import evaluate, train
from workers.batches import FlatSplit
from workers.distributed.sharding import make_accelerator, prepare
from workers.frozen import Kept, KeptSplit
from workers.methods.bypass import Bypass
from workers.models import masks
from workers.runtime.attempt import run_attempt
from workers.tasks import Encoded

CPU = torch.device("cpu")
META = torch.device("meta")  # tensors without values: whoever reads one raises
_READ = "aten._local_scalar_dense.default"
# Longformer looks for its global tokens, layer by layer, whatever it is given.
ARCHITECTURES = ("bert", "distilbert", "roberta", "electra", "mobilebert", "modernbert")
ARCHITECTURES += ("llama", "mistral", "qwen3", "gpt2", "mamba")


class Watch(TorchDispatchMode):
    """Counts reads by the function of ours that asked for them, and copies between devices."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.copies: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) == _READ:
            own = [f for f in traceback.extract_stack() if f"{Path('workers')}/" in f.filename]
            self.reads[own[-1].name] += 1
        found = func(*args, **(kwargs or {}))
        inputs = {a.device for a in args if isinstance(a, torch.Tensor) and a.dim()}
        if isinstance(found, torch.Tensor) and inputs - {found.device}:
            self.copies.append(str(func))
        return found


def encoded(kind: TaskKind) -> Encoded:
    ids = [[7, 8, 9, 10], [11, 8, 9, 7], [7, 8]]
    labels: list[Any] = [[0, 1, 1, 0], [1, 0, 0, 0], [0, 1]] if kind is TaskKind.NER else [0, 1, 0]
    return Encoded(ids, labels, None, truncated=0)


def split(kind: TaskKind, device: torch.device) -> FlatSplit:
    return FlatSplit(encoded(kind), 0, device)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_step_reads_nothing_from_the_device_and_copies_nothing_to_it(architecture):
    for kind in (TaskKind.NER, TaskKind.CLASSIFICATION):
        adapted = adapted_tiny(architecture, Full(), kind)
        adapted.model.to(META)
        adapted.train_mode()
        examples, around = split(kind, META), training_context(META)
        optimiser = torch.optim.SGD([p for p in adapted.model.parameters() if p.requires_grad])
        batches = examples.rows([[0, 1], [2, 0, 1]])  # without padding, and in two passes with some
        with Watch() as watch:
            for batch in batches:
                train.optimiser_step(adapted, adapted.model, optimiser, examples, batch, 0.1, around)
        assert (watch.reads, watch.copies) == ({}, [])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nor_does_a_step_of_head_only_before_and_after_its_backbone_has_read(architecture):
    for kind, one in ((TaskKind.NER, None), (TaskKind.CLASSIFICATION, lambda hidden, mask: hidden[:, 0])):
        adapted = adapted_tiny(architecture, HeadOnly(), kind)
        adapted.model.to(META)
        adapted.train_mode()
        width = adapted.model.config.hidden_size
        kept = Kept(adapted, Bypass(adapted.model), one, width, torch.float32)
        examples, around = KeptSplit(encoded(kind), 0, META, kept, [[0, 1], [2]]), training_context(META)
        optimiser = torch.optim.SGD([p for p in adapted.model.parameters() if p.requires_grad])
        batches = examples.rows([[0, 1], [2], [2, 0, 1]])
        with Watch() as watch:
            for batch in batches:
                train.optimiser_step(adapted, adapted.model, optimiser, examples, batch, 0.1, around)
        assert (watch.reads, watch.copies) == ({}, [])


def test_a_step_of_one_process_searches_for_no_package(monkeypatch):
    adapted = adapted_tiny("bert", Full())
    around, examples = training_context(CPU), split(TaskKind.CLASSIFICATION, CPU)
    around.accelerator = make_accelerator(Resources(), Precision.FP32, 1.0)
    optimiser = torch.optim.SGD(adapted.model.parameters())
    model, optimiser = prepare(around.accelerator, adapted.model, optimiser, Resources())
    batch = examples.rows([[0, 1, 2]])[0]
    train.optimiser_step(adapted, model, optimiser, examples, batch, 0.1, around)
    searched: list[str] = []
    monkeypatch.setattr("importlib.util.find_spec", searched.append)
    train.optimiser_step(adapted, model, optimiser, examples, batch, 0.1, around)
    assert searched == []


def known(padded: bool, device: torch.device) -> AbstractContextManager[None]:
    """As beside a GPU."""
    return masks.padding_known(padded, META)


def test_training_reads_the_loss_every_tenth_step_and_learns_what_it_learnt(lab, outcome_of, monkeypatch):
    found = []
    for beside_a_gpu in (False, True):
        if beside_a_gpu:
            monkeypatch.setattr(train, "padding_known", known)
            monkeypatch.setattr(evaluate, "padding_known", known)
        order = lab.order(kind=TaskKind.NER, recipe={"steps": 25, "evaluations": 1})
        with Watch() as watch:
            run_attempt(order)
        outcome = outcome_of(order)
        assert outcome.state == "finished", outcome.failure
        found.append(outcome)
    assert watch.reads["log_losses"] == 3  # of 25 steps
    assert watch.reads["optimiser_step"] == 0
    assert watch.reads["train"] == 0
    assert found[0].test == found[1].test
    assert found[0].dev == found[1].dev


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "deberta-v2", "longformer"])
def test_a_mask_that_is_known_to_hide_nothing_changes_no_answer(architecture):
    adapted = adapted_tiny(architecture, Lora(rank=2), TaskKind.NER)
    adapted.model.eval()
    examples = split(TaskKind.NER, torch.device("cpu"))
    for rows in examples.rows([[0, 1], [0, 1, 2]]):
        batch = examples.batch(rows)
        with torch.no_grad():
            expected = adapted.model(**batch.inputs).logits
            with masks.padding_known(batch.padded, META):
                answered = adapted.model(**batch.inputs).logits
        assert batch.padded == (len(rows) == 3)
        assert torch.allclose(answered, expected, rtol=1e-5, atol=1e-6)
