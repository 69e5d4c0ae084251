"""What each method trains of a tiny encoder and decoder, by arithmetic done by hand, and what it refuses."""

from __future__ import annotations

import re

import pytest
import torch
from tiny_models import adapted_tiny, built_tiny, tiny_spec

from orchestrator.contracts.methods.low_rank import AdaLora, Lora, Vera
from orchestrator.contracts.methods.multiplicative import Boft, Ia3, Oft
from orchestrator.contracts.methods.virtual_tokens import Prefix, Prompt, PTuning
from orchestrator.contracts.methods.weights import BitFit, LnTuning, TopLayers
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.methods import UnsupportedError, adapt
from workers.methods.butterflies import BlockDiagonal

VIRTUAL = {"virtual_tokens": 3}


# Width 32, 2 layers of 2 heads, 64 inside the feed-forward.
BERT_LAYER = 4 * (32 * 32 + 32) + 2 * 64 + (32 * 64 + 64) + (64 * 32 + 32)
LLAMA_LAYER = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32  # one head of keys and values, no biases
PTUNING = 3 * 32 + (32 * 8 + 8) + (8 * 8 + 8) + (8 * 32 + 32)
# settings, what its names look like, scalars beyond the head in BERT and in Llama
TRAINED = {
    "bitfit": (BitFit(), r"\.bias$", 2 * (4 * 32 + 32 + 64 + 32 + 32) + 32 + 32, None),
    "ln-tuning": (LnTuning(), r"(LayerNorm|norm)\.(weight|bias)$", 5 * 64, 5 * 32),
    "top-layers": (
        TopLayers(layers=1),
        r"(layers?\.1\.|pooler|\.norm\.)",
        BERT_LAYER + 32 * 32 + 32,
        LLAMA_LAYER + 32,
    ),
    "lora": (Lora(rank=2), r"lora_[AB]", 2 * 2 * 2 * 64, 2 * 2 * (64 + 48)),
    "attention": (
        Lora(rank=2, targets="attention"),
        r"lora_[AB]",
        2 * 2 * 4 * 64,
        2 * 2 * (64 + 48 + 48 + 64),
    ),
    "feed-forward": (
        Lora(rank=2, targets="feed-forward"),
        r"lora_[AB]",
        2 * 2 * 2 * 96,
        2 * 2 * 3 * 96,
    ),
    "all": (
        Lora(rank=2, targets="all"),
        r"lora_[AB]",
        2 * 2 * (4 * 64 + 2 * 96),
        2 * 2 * (2 * 64 + 2 * 48 + 3 * 96),
    ),
    "dora": (Lora(rank=2, dora=True), r"lora_", 2 * 2 * (128 + 32), 2 * (128 + 32 + 96 + 16)),
    "rslora": (Lora(rank=2, rank_stabilised=True), r"lora_[AB]", 512, 448),
    "adalora": (AdaLora(rank=2), r"lora_[ABE]", 4 * 3 * (64 + 1), 2 * 3 * (64 + 48 + 2)),
    "vera": (Vera(rank=8), r"vera_lambda_[bd]", 4 * (8 + 32), 2 * (8 + 32 + 8 + 16)),
    "ia3": (Ia3(), r"ia3_l", 2 * (3 * 32 + 64), 2 * (2 * 16 + 64)),
    "oft": (Oft(block_size=4), r"oft_R", 4 * 8 * 6, 4 * 8 * 6),
    "boft": (Boft(block_size=4), r"boft_[Rs]", 4 * (8 * 16 + 32), 2 * (8 * 16 + 32 + 8 * 16 + 16)),
    "butterflies": (
        Boft(block_size=4, factors=2),
        r"boft_[Rs]",
        4 * (2 * 8 * 16 + 32),
        2 * (2 * 2 * 8 * 16 + 32 + 16),
    ),
    "prefix": (Prefix(**VIRTUAL), r"prompt_encoder", 3 * 2 * 2 * 32, 3 * 2 * 2 * 16),
    "prompt": (Prompt(**VIRTUAL), r"prompt_encoder", 3 * 32, 3 * 32),
    "p-tuning": (PTuning(encoder_hidden_size=8, **VIRTUAL), r"prompt_encoder", PTUNING, PTUNING),
}


@pytest.mark.parametrize("architecture", ["bert", "llama"])
@pytest.mark.parametrize("name", TRAINED)
def test_exactly_what_the_method_says_trains(architecture, name):
    settings, pattern, *counts = TRAINED[name]
    expected = counts[architecture == "llama"]
    if expected is None:
        with pytest.raises(UnsupportedError, match="only the head would train"):
            adapted_tiny(architecture, settings)
        return
    adapted = adapted_tiny(architecture, settings)
    model = adapted.model
    top = (model.get_base_model() if adapted.is_adapter else model).base_model_prefix
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    beyond = {
        n: p
        for n, p in trained.items()
        if f"{top}." in n or n.startswith("prompt_encoder")
        if "modules_to" not in n
    }
    assert all(re.search(pattern, name) for name in beyond)
    assert sum(p.numel() for p in beyond.values()) == expected == adapted.parameters.adapter
    assert adapted.parameters.head == 3 * 32 + (3 if architecture == "bert" else 0)
    assert adapted.parameters.trainable == expected + adapted.parameters.head
    assert sum(p.numel() for p in trained.values()) == adapted.parameters.trainable


@pytest.mark.parametrize(
    ("architecture", "settings", "words"),
    [
        ("bert", TopLayers(layers=3), r"(?s)3 layers, but there are 2.*fewer"),
        ("bert", Oft(block_size=5), r"(?s)32 values.*blocks of 5.*block_size"),
        ("bert", Boft(block_size=8, factors=4), r"blocks of 64"),
        ("albert", TopLayers(layers=1), "share their weights"),
        ("distilbert", Prefix(), "no keys and values from outside"),
        ("gpt2", Oft(), "cannot rotate"),
        ("mamba", Lora(targets="attention"), "no attention"),
        ("bert", Lora(quantise="nf4"), r"(?s)nf4.*needs a GPU"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(architecture, settings, words):
    if torch.cuda.is_available() and getattr(settings, "quantise", None):
        pytest.skip("a GPU may hold a quantised base")
    with pytest.raises(WeightsError, match=words) as refused:
        adapted_tiny(architecture, settings)
    assert "\n    -> " in str(refused.value)


def test_adalora_asks_for_its_steps():
    model = built_tiny("bert").model
    with pytest.raises(WeightsError, match=r"(?s)adalora plans.*epochs or steps"):
        adapt(model, AdaLora(), tiny_spec("bert"), TaskKind.CLASSIFICATION)


def test_the_blocks_of_a_butterfly_have_their_gradient():
    blocks = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    plain = torch.stack([torch.block_diag(*factor) for factor in blocks])
    [made] = BlockDiagonal.forward(blocks)
    assert torch.equal(made, plain)
    slope = torch.randn_like(plain)
    plain.backward(slope)
    assert torch.equal(BlockDiagonal.backward(slope, blocks)[0], blocks.grad)
