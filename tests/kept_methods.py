"""Models that stand as after a training, by every method."""

from __future__ import annotations

import torch
from tiny_models import adapted_tiny

from orchestrator.contracts.methods.low_rank import AdaLora, Lora, Vera
from orchestrator.contracts.methods.multiplicative import Boft, Ia3, Oft
from orchestrator.contracts.methods.virtual_tokens import Prefix, Prompt, PTuning
from orchestrator.contracts.methods.weights import BitFit, HeadOnly, LnTuning, TopLayers
from orchestrator.contracts.vocabulary import TaskKind

IDS = torch.tensor([[7, 8, 9, 10, 11]])
METHODS = [
    HeadOnly(),
    BitFit(),
    LnTuning(),
    TopLayers(layers=1),
    Lora(rank=2, dora=True),
    Lora(rank=2, rank_stabilised=True),
    AdaLora(rank=2),
    Vera(rank=8),
    Ia3(),
    Oft(block_size=4),
    Boft(block_size=4, factors=2),
    Prefix(virtual_tokens=3),
    Prompt(virtual_tokens=3),
    PTuning(virtual_tokens=3, encoder_hidden_size=8),
]


def stirred(architecture, settings, kind=TaskKind.CLASSIFICATION):
    """Adapted, and no longer at its neutral start."""
    adapted = adapted_tiny(architecture, settings, kind)
    with torch.no_grad():
        for parameter in adapted.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return adapted


def answers(model):
    with torch.inference_mode():
        return model.eval()(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
