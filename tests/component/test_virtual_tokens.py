"""Virtual tokens stand before the text and leave no trace of their places behind it."""

from __future__ import annotations

import pytest
import torch
from tiny_models import adapted_tiny, built_tiny, tiny_spec

from orchestrator.contracts.methods.virtual_tokens import Prefix, Prompt, PTuning
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods import adapt

WORDS, SEQUENCE = TaskKind.NER, TaskKind.CLASSIFICATION
BEFORE = torch.tensor([[11, 12, 13]])
TEXT = torch.tensor([[20, 21, 22, 23, 24]])
PADDED = torch.tensor([[20, 21, 22, 23, 24, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 0, 0]])


def logits(model, ids, mask=None):
    with torch.inference_mode():
        return model.eval()(
            input_ids=ids, attention_mask=torch.ones_like(ids) if mask is None else mask
        ).logits


def learnt(adapted):
    return adapted.model.prompt_encoder["default"].embedding.weight


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [("bert", WORDS), ("roberta", WORDS), ("distilbert", WORDS), ("llama", WORDS), ("llama", SEQUENCE)],
)
def test_a_prompt_that_says_real_words_reads_as_those_words(architecture, kind):
    plain = built_tiny(architecture, kind).model
    said = logits(plain, torch.cat([BEFORE, TEXT], dim=1))
    adapted = adapted_tiny(architecture, Prompt(virtual_tokens=3), kind)
    with torch.no_grad():
        learnt(adapted).copy_(adapted.backbone.get_input_embeddings()(BEFORE[0]))
    expected = said[:, 3:] if kind is WORDS else said
    assert torch.allclose(logits(adapted.model, TEXT), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [WORDS, SEQUENCE])
def test_a_prefix_that_holds_the_keys_of_real_words_reads_as_those_words(kind):
    plain = built_tiny("llama", kind).model
    said = logits(plain, torch.cat([BEFORE, TEXT], dim=1))
    with torch.inference_mode():
        cached = plain.model(input_ids=BEFORE, use_cache=True).past_key_values
    layers = [x for layer in cached.layers for x in (layer.keys, layer.values)]  # (1, heads, 3, size) each
    adapted = adapted_tiny("llama", Prefix(virtual_tokens=3), kind)
    with torch.no_grad():
        rows = torch.stack(layers).squeeze(1).permute(2, 0, 1, 3)  # (3, layers * 2, heads, size)
        learnt(adapted).copy_(rows.reshape(3, -1))
    expected = said[:, 3:] if kind is WORDS else said
    assert torch.allclose(logits(adapted.model, TEXT), expected, atol=1e-5)


@pytest.mark.parametrize("settings", [Prefix(), Prompt(), PTuning()], ids=lambda s: s.kind)
@pytest.mark.parametrize(
    ("architecture", "kind"), [("bert", WORDS), ("bert", SEQUENCE), ("llama", SEQUENCE), ("gpt2", SEQUENCE)]
)
def test_virtual_tokens_count_and_padding_does_not(architecture, kind, settings):
    adapted = adapted_tiny(architecture, settings, kind)
    alone, padded = logits(adapted.model, TEXT), logits(adapted.model, PADDED, MASK)
    if kind is WORDS:
        assert padded.shape == (1, 7, 3)
        padded = padded[:, :5]
    assert torch.allclose(alone, padded, atol=1e-5)
    with torch.no_grad():
        learnt(adapted).mul_(-3.0)
    assert not torch.allclose(logits(adapted.model, TEXT), alone, atol=1e-3)


def test_an_encoder_is_read_off_the_first_token_of_the_text():
    adapted = adapted_tiny("bert", Prompt(virtual_tokens=3))
    seen = []
    adapted.backbone.pooler.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    logits(adapted.model, TEXT)
    assert [hidden.shape[1] for hidden in seen] == [8, 5]  # inside the backbone, then again for the head
    assert torch.equal(seen[0][:, 3:], seen[1])


@pytest.mark.parametrize("architecture", ["bert", "albert"])
def test_a_pooler_that_the_weights_lack_trains_with_the_head(architecture):
    built = built_tiny(architecture)
    pooler = f"{architecture}.pooler"
    adapted = adapt(built.model, Prompt(virtual_tokens=3), tiny_spec(architecture), SEQUENCE, (pooler,))
    assert logits(adapted.model, TEXT).shape == (1, 3)
    assert adapted.parameters.adapter == learnt(adapted).numel()
    assert adapted.parameters.head == (32 * 32 + 32) + (3 * 32 + 3)
