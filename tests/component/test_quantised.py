"""Bases in 8 and 4 bits, trained on the CPU backend of bitsandbytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from saved_tensors import saved_bytes
from tiny_models import LABELS

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, RandomWeights
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Family, Precision, TaskKind
from orchestrator.planning.memory import estimate
from workers.demo import tiny
from workers.methods import Adapted, adapt, quantised
from workers.models import backbones
from workers.models.backbones import build

pytest.importorskip("bitsandbytes")
WIDE = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}  # a block of 4-bit weights has 64
STEPS, LENGTH = 12, 128


@pytest.fixture
def on_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials are refused there: what they would cost says nothing about a GPU."""
    for module in (backbones, quantised):
        monkeypatch.setattr(module, "refuse_quantised", lambda *_: None)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def base(architecture: str, **more: int) -> BackboneSpec:
        shape = tiny.ARCHITECTURES[architecture]
        wide = shape | {key: value for key, value in WIDE.items() if key in shape} | more
        monkeypatch.setitem(tiny.ARCHITECTURES, architecture, wide)
        tiny.write_tiny(RandomWeights(architecture=architecture), tmp_path)
        family = Family.STATE_SPACE if architecture in tiny.STATE_SPACES else Family.DECODER
        weights = FolderWeights(folder=str(tmp_path))
        fields = {"name": architecture, "model": "m", "domain": "d", "architecture": architecture}
        of = wide | {"vocab_size": 500}
        return BackboneSpec(**fields, family=family, weights=weights, shape=of)

    return base


def losses(spec: BackboneSpec, settings: Lora) -> tuple[Adapted, list[float]]:
    """Of an adapted model that learns one batch by heart."""
    torch.manual_seed(0)
    folder, kind = Path(spec.weights.folder), TaskKind.CLASSIFICATION
    built = build(spec, folder, kind, LABELS, quantise=settings.quantise)
    adapted = adapt(built.model, settings, spec, kind, built.unsaved)
    adapted.train_mode()
    optimiser = torch.optim.AdamW([p for p in adapted.model.parameters() if p.requires_grad], lr=1e-2)
    ids, labels = torch.arange(7, 47).reshape(4, 10), torch.tensor([0, 1, 2, 0])
    found = []
    for _ in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16):
            logits = adapted.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        found.append(float(loss))
    return adapted, found


@pytest.mark.parametrize("architecture", ["llama", "mamba"])
@pytest.mark.parametrize("quantise", ["int8", "nf4"])
def test_it_learns_beside_a_frozen_base(on_cores: None, base: Any, quantise: Any, architecture: str) -> None:
    adapted, found = losses(base(architecture), Lora(rank=4, targets="all", dropout=0.0, quantise=quantise))
    assert found[-1] < 0.7 * found[0]
    kinds = {type(p).__name__ for p in adapted.model.parameters() if not p.requires_grad}
    assert {"int8": "Int8Params", "nf4": "Params4bit"}[quantise] in kinds
    assert {p.dtype for p in adapted.model.parameters() if p.requires_grad} == {torch.float32}


def test_a_layer_keeps_what_the_plan_reckons(on_cores: None, base: Any) -> None:
    settings, wide = Lora(quantise="nf4"), {"hidden_size": 256, "intermediate_size": 512}

    def bytes_of(layers: int, examples: int) -> tuple[float, float]:
        spec = base(
            "llama",
            **wide,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=64,
            num_hidden_layers=layers,
        )
        return kept(spec, settings, examples), reckoned(spec, settings, examples)

    (a, b), (c, d), (e, f), (g, h) = bytes_of(4, 8), bytes_of(4, 4), bytes_of(2, 8), bytes_of(2, 4)
    assert 1 < (b - d - f + h) / (a - c - e + g) < 1.15


def kept(spec: BackboneSpec, settings: Lora, examples: int) -> float:
    """Bytes of all tensors that the backward pass needs, weights left out."""
    folder, kind = Path(spec.weights.folder), TaskKind.CLASSIFICATION
    built = build(spec, folder, kind, LABELS, quantise=settings.quantise)
    adapted = adapt(built.model, settings, spec, kind, built.unsaved)
    adapted.train_mode()
    mask = torch.ones(examples, LENGTH, dtype=torch.long)
    mask[0, LENGTH // 2 :] = 0
    return saved_bytes(adapted.model, 7 * mask, mask, half=True)


def reckoned(spec: BackboneSpec, settings: Lora, examples: int) -> float:
    recipe = Recipe(learning_rate=1e-3, batch_size=examples, max_length=LENGTH, evaluation_batch_size=1)
    spec = spec.model_copy(update={"parameters": 10**6})
    found = estimate(spec, settings, recipe, Resources(gpus=1), Precision.BF16)
    assert found is not None
    return sum(part.bytes for part in found.parts if part.words.startswith("activations"))
