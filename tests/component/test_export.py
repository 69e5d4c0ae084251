"""The weights that are left behind load elsewhere and say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification

from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import TaskKind
from workers.export import export_model
from workers.methods import adapt
from workers.models.backbones import build
from workers.runtime.attempt import run_attempt

IDS = torch.tensor([[2, 5, 6, 3]])
LABELS = ("ill", "well")


def trained(lab, method):
    """An adapted model whose adapter is not at its neutral start."""
    torch.manual_seed(3)
    order = AttemptOrder.model_validate_json(lab.order(method).read_bytes())
    built = build(lab.backbone, Path(lab.backbone.weights.folder), TaskKind.CLASSIFICATION, LABELS)
    settings = order.trial.method.settings
    adapted = adapt(built.model, settings, lab.backbone, TaskKind.CLASSIFICATION, built.unsaved)
    with torch.no_grad():
        for parameter in adapted.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    adapted.model.eval()
    return adapted, built.tokenizer


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_an_adapter_loads_with_peft_and_gives_equal_logits(lab, tmp_path, method):
    adapted, tokenizer = trained(lab, method)
    size = export_model(adapted, tokenizer, tmp_path / "model", "adapters")
    torch.manual_seed(99)  # another head, which the saved one has to replace
    plain = AutoModelForSequenceClassification.from_pretrained(lab.backbone.weights.folder, num_labels=2)
    loaded = PeftModel.from_pretrained(plain, tmp_path / "model").eval()
    assert torch.equal(loaded(input_ids=IDS).logits, adapted.model(input_ids=IDS).logits)
    assert size < sum(p.numel() for p in plain.parameters()) * 4


@pytest.mark.parametrize("method", ["full", "head-only"])
def test_a_whole_model_loads_with_its_labels(lab, tmp_path, method):
    adapted, tokenizer = trained(lab, method)
    export_model(adapted, tokenizer, tmp_path / "model", "all")
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    assert torch.equal(loaded(input_ids=IDS).logits, adapted.model(input_ids=IDS).logits)
    assert loaded.config.id2label == {0: "ill", 1: "well"}


@pytest.mark.parametrize("method", ["full", "head-only"])
def test_of_a_trial_that_keeps_all_the_whole_model_is_kept(lab, method):
    order = lab.order(method, keep_weights="all")
    run_attempt(order)
    _, report = AutoModelForSequenceClassification.from_pretrained(
        order.parent / "model", output_loading_info=True
    )
    assert not any(report.values())


@pytest.mark.parametrize(
    ("method", "wanted", "kept"),
    [
        ("full", "all", True),
        ("full", "frontier", True),
        ("full", "adapters", False),
        ("lora", "adapters", True),
        ("lora", "frontier", True),
        ("lora", "none", False),
        ("head-only", "adapters", True),
    ],
)
def test_only_what_was_asked_for_is_kept(lab, outcome_of, method, wanted, kept):
    order = lab.order(method, keep_weights=wanted)
    run_attempt(order)
    assert (order.parent / "model").exists() == kept
    assert (outcome_of(order).saved_bytes is not None) == kept


def test_a_whole_model_over_the_limit_is_not_written(lab, outcome_of):
    order = lab.order("full", keep_weights="frontier", keep_gib=1e-6)
    run_attempt(order)
    assert not (order.parent / "model").exists()
    assert outcome_of(order).saved_bytes is None


def test_of_a_head_only_trial_the_head_is_kept(lab):
    order = lab.order("head-only", keep_weights="adapters")
    run_attempt(order)
    with safe_open(order.parent / "model" / "head.safetensors", framework="pt") as file:
        assert set(file.keys()) == {"classifier.weight", "classifier.bias"}
