"""What trains, and how many scalars that is."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.virtual_tokens import Prefix
from orchestrator.contracts.methods.weights import Full, HeadOnly
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.methods import TARGETS, adapt
from workers.models.backbones import build_shape

SEQUENCE = TaskKind.CLASSIFICATION


def spec(architecture, shape=None, **fields):
    return BackboneSpec(
        name=architecture,
        model="m",
        domain="general",
        architecture=architecture,
        weights=HubWeights(hub="nobody/nothing"),
        shape=shape or {},
        **fields,
    )


BERT = {"vocab_size": 30522}
TINY = {
    "vocab_size": 30522,
    "hidden_size": 312,
    "num_hidden_layers": 4,
    "num_attention_heads": 12,
    "intermediate_size": 1200,
}
LLAMA = {"vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 11008}
STUDY = {
    "bert-base": spec("bert", BERT),
    "biobert": spec("bert", {"vocab_size": 28996}),
    "tiny": spec("bert", TINY, lora_targets=("query", "key", "value")),
    "tiny-bio": spec("bert", TINY | {"vocab_size": 28996}, lora_targets=("query", "key", "value")),
    "distilbert": spec("distilbert", BERT),
    "clinical-distilbert": spec("distilbert", {"vocab_size": 28996}),
    "mobilebert": spec("mobilebert", BERT | {"classifier_activation": False}),
    "roberta": spec("roberta", {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}),
    "llama-2-7b": spec("llama", LLAMA),
}

# Taylor et al.: total; LoRA of rank 8 without and with the head; IA3 likewise. The published adapter
# counts of DistilBERT hold its pre_classifier (590,592), which is a part of the head here.
PUBLISHED = [
    ("bert-base", 109_483_778, 294_912, 296_450, 64_512, 66_050),
    ("biobert", 108_311_810, 294_912, 296_450, 64_512, 66_050),
    ("tiny", 14_350_874, 59_904, 60_530, 8_544, 9_170),
    ("tiny-bio", 13_874_762, 59_904, 60_530, 8_544, 9_170),
    ("distilbert", 66_955_010, 811_776 - 590_592, 813_314, 622_848 - 590_592, 624_386),
    ("clinical-distilbert", 65_783_042, 811_776 - 590_592, 813_314, 622_848 - 590_592, 624_386),
    ("mobilebert", 24_582_914, 221_184, 222_210, 58_368, 59_394),
    ("roberta", 124_647_170, 294_912, 294_912 + 592_130, 64_512, 64_512 + 592_130),
    ("llama-2-7b", 6_607_351_808, 4_194_304, 4_202_496, 614_400, 622_592),
]


def counted(name, settings):
    model = build_shape(STUDY[name], SEQUENCE, 2)
    return adapt(model, settings, STUDY[name], SEQUENCE, meta=True).parameters


@pytest.mark.parametrize(("name", "total", "lora", "lora_train", "ia3", "ia3_train"), PUBLISHED)
def test_counts_at_full_shape_are_the_published_ones(name, total, lora, lora_train, ia3, ia3_train):
    low_rank, scaling = counted(name, Lora(rank=8)), counted(name, Ia3())
    assert (low_rank.total, low_rank.adapter, low_rank.trainable) == (total, lora, lora_train)
    assert (scaling.total, scaling.adapter, scaling.trainable) == (total, ia3, ia3_train)
    full, head = counted(name, Full()), counted(name, HeadOnly())
    assert (full.total, full.trainable, full.adapter) == (total, total, 0)
    assert (head.trainable, head.adapter) == (lora_train - lora, 0)


# Taylor et al.: prefix tuning of 10 virtual tokens, without the head.
@pytest.mark.parametrize(
    ("name", "prefix"),
    [("bert-base", 184_320), ("tiny", 24_960), ("roberta", 184_320), ("llama-2-7b", 2_621_440)],
)
def test_prefixes_at_full_shape_are_the_published_ones(name, prefix):
    assert counted(name, Prefix(virtual_tokens=10)).adapter == prefix


SMALL = {
    "hidden_size": 32, "dim": 32, "num_hidden_layers": 2, "n_layers": 2, "num_attention_heads": 2,
    "n_heads": 2, "intermediate_size": 64, "hidden_dim": 64, "vocab_size": 100,
    "num_key_value_heads": 2, "head_dim": 16,
    "embedding_size": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1,
    "n_embd": 32, "n_layer": 2, "n_head": 2, "sep_token_id": 2,
    "true_hidden_size": 32, "intra_bottleneck_size": 32,
}  # fmt: skip


def small_model(architecture, kind):
    known = AutoConfig.for_model(architecture).to_dict()
    config = AutoConfig.for_model(
        architecture, num_labels=3, **{k: v for k, v in SMALL.items() if k in known}
    )
    made = AutoModelForTokenClassification if kind is TaskKind.NER else AutoModelForSequenceClassification
    torch.manual_seed(0)
    return made.from_config(config, dtype=torch.float32)


@pytest.mark.parametrize("architecture", sorted(set(TARGETS) - {"mamba", "mamba2", "falcon_mamba"}))
@pytest.mark.parametrize("settings", [Lora(rank=2), Ia3(), HeadOnly()], ids=lambda s: s.kind)
def test_exactly_the_adapter_and_the_whole_head_get_gradients(architecture, settings):
    adapted = adapt(small_model(architecture, SEQUENCE), settings, spec(architecture), SEQUENCE)
    adapted.train_mode()
    ids = torch.randint(3, 100, (4, 8))
    adapted.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.square().sum().backward()
    inside = {id(parameter) for parameter in adapted.backbone.parameters()}
    trained = [(name, p) for name, p in adapted.model.named_parameters() if p.requires_grad]
    assert all(parameter.grad is not None for _, parameter in trained)
    inner = {name for name, parameter in trained if id(parameter) in inside}
    assert all("lora_" in name or "ia3_" in name for name in inner)
    outside = [p for name, p in trained if name not in inner]
    assert sum(p.numel() for p in outside) == adapted.parameters.head
    assert bool(adapted.parameters.matched_modules) == adapted.is_adapter


def test_a_frozen_backbone_stays_in_evaluation_mode():
    adapted = adapt(small_model("bert", SEQUENCE), HeadOnly(), spec("bert"), SEQUENCE)
    adapted.train_mode()
    assert adapted.model.training
    assert not any(module.training for module in adapted.backbone.modules())


def test_matched_modules_are_full_names_inside_the_backbone():
    adapted = adapt(small_model("bert", TaskKind.NER), Lora(rank=2), spec("bert"), TaskKind.NER)
    assert adapted.parameters.matched_modules == tuple(
        f"bert.encoder.layer.{layer}.attention.self.{name}" for layer in (0, 1) for name in ("query", "value")
    )


def test_a_target_that_matches_nothing_is_an_error_with_a_remedy():
    wrong = spec("bert", lora_targets=("query", "q_proj"))
    with pytest.raises(WeightsError, match=r"(?s)backbone bert.*'q_proj'.*lora_targets"):
        adapt(small_model("bert", SEQUENCE), Lora(rank=2), wrong, SEQUENCE)


def test_an_unknown_architecture_asks_for_its_targets():
    model = small_model("gpt_neox", SEQUENCE)
    with pytest.raises(WeightsError, match="lora_targets"):
        adapt(model, Lora(rank=2), spec("gpt_neox"), SEQUENCE)
    named = adapt(model, Lora(rank=2), spec("gpt_neox", lora_targets=("query_key_value",)), SEQUENCE)
    assert len(named.parameters.matched_modules) == len(model.gpt_neox.layers)
