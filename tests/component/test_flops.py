"""Floating-point operations: ours by shape against what torch counts as it runs, forward and backward."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from kept_methods import METHODS
from tiny_models import adapted_tiny, blank_tiny, tiny_folder, tiny_spec
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.virtual_tokens import Prompt
from orchestrator.contracts.methods.weights import Full, HeadOnly, TopLayers
from orchestrator.contracts.vocabulary import TaskKind
from workers.demo.tiny import ARCHITECTURES, STATE_SPACES
from workers.metering.flops import operations_of
from workers.metering.passes import Passes
from workers.methods.activations import checkpoint_activations
from workers.methods.refusal import UnsupportedError
from workers.models.backbones import count_planned

WITHIN = 0.02  # of torch's count; what DoRA computes once a pass and then detaches, we count backward too
SHAPES = [(3, 37), (12, 9)]


def counted(model, examples: int, length: int) -> tuple[int, int]:
    """Forward alone, and with the backward pass. Attention in plain products: of a fused one on the CPU torch
    counts nothing."""
    ids = torch.randint(5, 90, (examples, length))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        answer = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        forward = counter.get_total_flops()
        answer.sum().backward()
    return forward, counter.get_total_flops()


def agree(architecture: str, settings: object, kind: TaskKind = TaskKind.CLASSIFICATION) -> None:
    model = adapted_tiny(architecture, settings, kind).model.eval()
    operations = operations_of(blank_tiny(architecture, settings, kind))
    for examples, length in SHAPES:
        forward, both = counted(model, examples, length)
        assert operations.of(examples, length, training=False) == pytest.approx(forward, rel=WITHIN)
        # Of a convolution over single channels torch counts a backward pass over all of them.
        if not (architecture in STATE_SPACES and isinstance(settings, Full)):
            assert operations.of(examples, length, training=True) == pytest.approx(both, rel=WITHIN)


@pytest.mark.parametrize("settings", [Full(), Lora(rank=8), Ia3()], ids=lambda s: s.kind)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(architecture, settings):
    agree(architecture, settings)


@pytest.mark.parametrize("settings", METHODS, ids=lambda s: s.kind)
def test_every_method(settings):
    try:
        agree("bert", settings)
    except UnsupportedError:
        pytest.skip("the method does not stand on this architecture")


@pytest.mark.parametrize("architecture", ["longformer", "mamba2"])
def test_virtual_tokens_fill_up_windows_and_chunks(architecture):
    agree(architecture, Prompt(virtual_tokens=11))


def test_words_are_labelled_one_by_one():
    agree("bert", Full(), TaskKind.NER)


def test_the_closed_form_of_a_plain_encoder():
    """2 a weight and token forward; twice that backward, but for frozen weights once; attention's 4 L^2 d a
    layer forward, and twice that backward."""
    model = blank_tiny("bert", Full())
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    weights = sum(p.numel() for n, p in model.named_parameters() if "encoder" in n and p.ndim == 2)
    found = operations_of(model)
    assert found.forward.linear == pytest.approx(2 * weights)
    assert found.forward.square == pytest.approx(4 * layers * width)
    assert found.backward.linear == pytest.approx(4 * weights)
    assert found.backward.square == pytest.approx(8 * layers * width)
    frozen = operations_of(blank_tiny("bert", Ia3()))
    first = 3 * width * width  # nothing below the first layer trains: into its three products nothing goes
    assert frozen.backward.linear == pytest.approx(2 * (weights - first), rel=0.02)


def test_only_the_layers_that_train_go_backward():
    everywhere = operations_of(blank_tiny("bert", Full())).backward
    top = operations_of(blank_tiny("bert", TopLayers(layers=1))).backward
    head = operations_of(blank_tiny("bert", HeadOnly())).backward
    assert head.linear == head.square == 0
    assert 0.4 * everywhere.linear < top.linear < 0.6 * everywhere.linear


def test_activations_that_are_not_kept_cost_a_forward_pass_more():
    found = operations_of(blank_tiny("bert", Full()))
    forward = found.of(2, 16, training=False)
    again = found.of(2, 16, training=True, again=True)
    assert again == pytest.approx(found.of(2, 16, training=True) + forward)


@pytest.mark.parametrize("quantise", ["int8", "nf4"])
def test_a_quantised_base_takes_the_products_of_a_plain_one(quantise):
    plain, quantised = Lora(targets="all"), Lora(targets="all", quantise=quantise)
    assert operations_of(blank_tiny("llama", quantised)) == operations_of(blank_tiny("llama", plain))


@pytest.mark.parametrize("architecture", STATE_SPACES)
def test_what_a_fused_kernel_computes_is_counted(architecture, monkeypatch):
    """A kernel runs on GPUs alone, and in the place of many products."""
    expected = operations_of(blank_tiny(architecture, Lora(rank=8)))
    module = import_module(f"transformers.models.{architecture}.modeling_{architecture}")
    for found in vars(module).values():
        inside = dict(zip(names(found), getattr(found, "__closure__", None) or (), strict=True))
        if "is_new_implementation" in inside:
            monkeypatch.setattr(inside["is_new_implementation"], "cell_contents", True)
            monkeypatch.setattr(inside["implementation"], "cell_contents", None)
    blank = blank_tiny(architecture, Lora(rank=8))
    with pytest.raises(TypeError, match="not callable"):
        blank(input_ids=torch.ones(1, 8, dtype=torch.long, device="meta"))
    assert operations_of(blank) == expected


def names(function: Any) -> tuple[str, ...]:
    """Of the variables that it closes over."""
    return getattr(getattr(function, "__code__", None), "co_freevars", ())


def test_the_embeddings_of_checkpointed_adapters_need_a_gradient():
    """As `checkpoint_activations` leaves them: into the first layer's products goes one as well."""
    blank = count_planned(tiny_spec("llama"), tiny_folder("llama"), Lora(), TaskKind.CLASSIFICATION, 2).blank
    before = operations_of(blank.model)
    checkpoint_activations(blank, tiny_spec("llama"))
    after = operations_of(blank.model)
    assert after.forward == before.forward
    assert after.backward.linear > before.backward.linear


def test_working_it_out_draws_nothing_and_changes_nothing():
    model = adapted_tiny("bert", Lora(rank=8)).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    assert operations_of(model) == operations_of(blank_tiny("bert", Lora(rank=8)))
    drawn = torch.rand(())
    torch.manual_seed(3)
    assert torch.rand(()) == drawn
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not torch.compiler.is_exporting()


def test_passes_tell_real_tokens_and_what_was_computed():
    model = adapted_tiny("bert", Full()).model
    operations, passes = operations_of(blank_tiny("bert", Full())), Passes()
    assert passes.lap() == {"tokens": 0, "flops": 0.0}
    passes.watch(model, operations)
    ids = torch.full((2, 10), 7)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    model(input_ids=ids, attention_mask=mask)
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)
    flops = operations.of(2, 10, training=True) + operations.of(2, 10, training=False)
    assert passes.lap() == {"tokens": 32, "flops": pytest.approx(flops)}
    assert passes.lap() == {"tokens": 0, "flops": 0.0}


def test_without_operations_tokens_are_still_told():
    model, passes = adapted_tiny("bert", Full()).model, Passes()
    passes.watch(model, None)
    ids = torch.full((1, 4), 7)
    model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert passes.lap() == {"tokens": 4, "flops": None}
