"""Every method through a whole attempt: reading, training, checkpoints, scoring, keeping."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from stopped_attempts import run_until

from orchestrator.contracts.methods.low_rank import AdaLora, Lora, Vera
from orchestrator.contracts.methods.multiplicative import Boft, Oft
from orchestrator.contracts.methods.virtual_tokens import Prefix, Prompt, PTuning
from orchestrator.contracts.methods.weights import BitFit, LnTuning, TopLayers
from orchestrator.contracts.vocabulary import TaskKind
from workers.runtime.attempt import run_attempt

METHODS = [
    BitFit(),
    LnTuning(),
    TopLayers(layers=1),
    Lora(rank=2, dora=True, targets="all"),
    AdaLora(rank=2),
    Vera(rank=8),
    Oft(block_size=4),
    Boft(block_size=4),
    Prefix(virtual_tokens=3),
    Prompt(virtual_tokens=3),
    PTuning(virtual_tokens=3, encoder_hidden_size=8),
]


def order_of(lab, settings, **fields):
    """An order for a ner trial under these settings."""
    path = lab.order("full", TaskKind.NER, checkpoint_seconds=0, **fields)
    order = json.loads(path.read_bytes())
    order["trial"]["method"]["settings"] = settings.model_dump(mode="json")
    path.write_text(json.dumps(order))
    return path


@pytest.mark.parametrize("settings", METHODS, ids=lambda s: s.kind)
def test_an_attempt_comes_to_its_end_and_keeps_its_weights(lab, outcome_of, settings):
    order = order_of(lab, settings)
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.state == "finished", outcome.failure
    assert outcome.parameters.adapter > 0
    assert outcome.saved_bytes > 0


def kept_weights(order):
    return load_file(order.parent / "model" / "adapter_model.safetensors")


@pytest.mark.parametrize("settings", [Vera(rank=8), PTuning(virtual_tokens=3)], ids=lambda s: s.kind)
def test_a_resumed_attempt_ends_with_the_very_same_weights(lab, settings):
    whole, broken = order_of(lab, settings), order_of(lab, settings)
    run_attempt(whole)
    run_until(broken, 5)
    resumed = order_of(lab, settings, resume_from=str(broken.parent / "checkpoint" / "step-5"))
    run_attempt(resumed)
    ours, theirs = kept_weights(resumed), kept_weights(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
