"""Decoders whose frozen weights lie in bf16, and what trains in fp32."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import tiny_folder, tiny_spec

from orchestrator.contracts.backbone import FolderWeights
from orchestrator.contracts.trial import AttemptOrder, Resources
from orchestrator.contracts.vocabulary import Family, Figure, Phase, Source, TaskKind
from workers.backbones import build, train_in_full
from workers.methods import adapt

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
