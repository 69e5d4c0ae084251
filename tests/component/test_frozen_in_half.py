"""Decoders whose frozen weights lie in bf16, and what trains in fp32."""

from __future__ import annotations

import kept_methods
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import tiny_folder, tiny_spec

from orchestrator.contracts.backbone import FolderWeights
from orchestrator.contracts.frozen_precision import frozen_in_half
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Family, Figure, Phase, Precision, Source, TaskKind
from workers.methods import UnsupportedError, adapt
from workers.methods.activations import checkpoint_activations
from workers.models.backbones import build, train_in_full

GRID = [*kept_methods.METHODS, Full(), Lora(rank=2, targets="all")]
METHODS = ["lora", "ia3", "head-only", "full"]


@pytest.fixture
def decoder():
    folder = FolderWeights(folder=str(tiny_folder("llama")))
    return tiny_spec("llama", family=Family.DECODER).model_copy(update={"weights": folder})


def curve(events) -> list[float]:
    return [event.loss for event in events if event.event == "step"]


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_as_in_full_precision(host, lab, decoder, outcome_of, events_of, method):
    curves, flops = [], []
    for precision in ("fp32", "bf16"):
        recipe = {"evaluations_per_epoch": 6, "precision": precision}
        order = lab.order(method, recipe=recipe, backbone=decoder, keep_weights="all")
        assert host.run(order) == 0
        assert outcome_of(order).state == "finished", outcome_of(order).failure
        assert outcome_of(order).device.precision == precision
        assert outcome_of(order).origins[Figure.FLOPS].source is Source.ESTIMATED
        flops.append(outcome_of(order).work[Phase.TRAIN].flops)
        curves.append(curve(events_of(order)))
        [file] = (order.parent / "model").glob("*.safetensors")
        assert {value.dtype for value in load_file(file).values()} == {torch.float32}
    assert flops[0] == flops[1] > 0
    # Other heads are drawn: they start alike, near the logarithm of the number of classes.
    assert len(curves[0]) == len(curves[1])
    assert curves[1][0] == pytest.approx(curves[0][0], abs=0.3)
    assert curves[1][-1] < curves[1][0] + 0.1


def test_ranks_that_spread_it_learn_as_one(host, lab, decoder, outcome_of, events_of):
    curves = []
    for resources in (
        Resources(),
        Resources(cpus=2, processes=2),
        Resources(cpus=2, processes=2, sharding="fsdp"),
    ):
        recipe = {"evaluations_per_epoch": 6, "precision": "bf16"}
        order = lab.order("ia3", recipe=recipe, backbone=decoder, resources=resources)
        assert host.run(order) == 0
        assert outcome_of(order).state == "finished", outcome_of(order).failure
        curves.append(curve(events_of(order)))
    for other in curves[1:]:
        assert other == pytest.approx(curves[0], rel=0.03)


@pytest.mark.parametrize("method", METHODS[:3])
def test_what_is_frozen_lies_in_bf16_and_what_trains_in_fp32(lab, decoder, method):
    settings = AttemptOrder.model_validate_json(lab.order(method).read_bytes()).trial.method.settings
    kind = TaskKind.CLASSIFICATION
    built = build(decoder, tiny_folder("llama"), kind, ("a", "b"), half=True)
    adapted = adapt(built.model, settings, decoder, kind, built.unsaved)
    train_in_full(adapted.model)
    found = {(p.requires_grad, p.dtype) for p in adapted.model.parameters()}
    assert found == {(True, torch.float32), (False, torch.bfloat16)}


@pytest.mark.parametrize("architecture", ["gemma2", "gpt2", "mamba"])
def test_every_method_trains_beside_weights_in_bf16(architecture):
    """Two steps and a pass of scoring, every other method with activations computed again."""
    spec = tiny_spec(architecture, family=Family.DECODER)
    ran = {settings.kind for number, settings in enumerate(GRID) if trains(spec, settings, number % 2 == 0)}
    assert ran >= {"full", "head-only", "lora", "ln-tuning", "ia3", "adalora", "top-layers"}


def trains(spec, settings, again: bool) -> bool:
    """Whether the architecture takes the method. Fails where the loss is not finite."""
    if (spec.architecture, settings.kind) == ("gpt2", "bitfit"):
        return False  # autocast on cores leaves its biases in fp32 beside products in bf16: addmm refuses
    kind = TaskKind.NER if again else TaskKind.CLASSIFICATION
    torch.manual_seed(0)
    half = frozen_in_half(spec, settings, Precision.BF16)
    built = build(spec, tiny_folder(spec.architecture), kind, ("a", "b"), half=half)
    try:
        adapted = adapt(built.model, settings, spec, kind, built.unsaved, steps=2)
        if again:
            checkpoint_activations(adapted, spec)
    except UnsupportedError:
        return False
    train_in_full(adapted.model)
    adapted.train_mode()
    trained = [p for p in adapted.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3)
    ids = torch.arange(7, 27).reshape(2, 10)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    for step in (1, 2):
        with torch.autocast("cpu", torch.bfloat16):
            loss = adapted.model(**inputs).logits.float().square().mean()
        assert torch.isfinite(loss), settings.kind
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        adapted.after_step(step)
    adapted.model.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(adapted.model(**inputs).logits).all(), settings.kind
    return True
