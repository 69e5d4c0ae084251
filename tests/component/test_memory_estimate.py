"""What a plan reckons that layers keep for the backward pass, against what autograd really saves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from saved_tensors import saved_bytes
from transformers import AutoConfig, AutoModelForSequenceClassification

from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Precision, TaskKind
from orchestrator.planning.memory import estimate
from workers.methods import adapt

HIDDEN, INNER, HEADS, LENGTH = 256, 512, 4, 128
_COMMON = {"vocab_size": 90, "hidden_size": HIDDEN, "intermediate_size": INNER, "num_attention_heads": HEADS}
_NAMES = {"hidden_size": "dim", "intermediate_size": "hidden_dim", "num_attention_heads": "n_heads"}
# On a CPU attention's fused kernels know no dropout, those of a GPU do.
_EXTRA: dict[str, dict[str, Any]] = {
    "bert": {"attention_probs_dropout_prob": 0.0},
    "distilbert": {"attention_dropout": 0.0},
    "llama": {"num_key_value_heads": HEADS, "pad_token_id": 0},
    "modernbert": {"attention_dropout": 0.0, "global_attn_every_n_layers": 1, "pad_token_id": 0},
}


def shape(architecture: str, layers: int) -> dict[str, Any]:
    common = _COMMON
    if architecture == "distilbert":
        common = {_NAMES.get(key, key): value for key, value in _COMMON.items()}
    count = "n_layers" if architecture == "distilbert" else "num_hidden_layers"
    return common | _EXTRA[architecture] | {count: layers}


def spec(architecture: str, layers: int) -> BackboneSpec:
    return BackboneSpec(
        name=architecture,
        model="m",
        domain="d",
        architecture=architecture,
        weights=RandomWeights(architecture=architecture),
        shape=shape(architecture, layers),
        parameters=10**6,
    )


def bytes_kept(architecture: str, layers: int, examples: int, settings: Any, half: bool) -> int:
    """Of all tensors that the backward pass needs, weights left out."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(architecture, **shape(architecture, layers))
    model = AutoModelForSequenceClassification.from_config(config)
    adapted = adapt(model, settings, spec(architecture, layers), TaskKind.CLASSIFICATION)
    adapted.train_mode()
    ids = torch.randint(3, 90, (examples, LENGTH))
    mask = torch.ones_like(ids)
    mask[0, LENGTH // 2 :] = 0
    return saved_bytes(adapted.model, ids, mask, half=half)


def reckoned_bytes(architecture: str, layers: int, examples: int, settings: Any, half: bool) -> float:
    recipe = Recipe(learning_rate=1e-3, batch_size=examples, max_length=LENGTH, evaluation_batch_size=1)
    precision = Precision.BF16 if half else Precision.FP32
    found = estimate(spec(architecture, layers), settings, recipe, Resources(gpus=1), precision)
    assert found is not None
    return sum(part.bytes for part in found.parts if part.words.startswith("activations"))


def a_layer(of: Any, *what: Any) -> float:
    """Bytes of one layer and example: what does not grow with both drops out."""
    return float(of(6, 16, *what) - of(6, 8, *what) - of(2, 16, *what) + of(2, 8, *what)) / (4 * 8)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("settings", [Full(), Lora()], ids=["full", "lora"])
@pytest.mark.parametrize("architecture", sorted(_EXTRA))
def test_a_layer_keeps_what_the_plan_reckons(architecture: str, settings: Any, half: bool) -> None:
    def measured(layers: int, examples: int) -> float:
        return bytes_kept(architecture, layers, examples, settings, half)

    def reckoned(layers: int, examples: int) -> float:
        return reckoned_bytes(architecture, layers, examples, settings, half)

    share = a_layer(reckoned) / a_layer(measured)
    assert 1 < share < 1.1
