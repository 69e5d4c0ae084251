"""An adapter that was saved empty, in part, or wrongly does not pass for a result."""

from __future__ import annotations

import pytest
import torch
from kept_methods import IDS, METHODS, answers, stirred
from safetensors.torch import load_file, save_file

from orchestrator.contracts.methods.low_rank import AdaLora, Lora
from workers import checkpoint_writer
from workers.checkpoint import (
    Checkpoint,
    TrainProgress,
    UnfaithfulCopyError,
    UnreadableCheckpointError,
    clone_weights,
    saved,
    trained_weights,
)
from workers.checkpoint_writer import snapshot, write
from workers.distributed.ranks import ALONE
from workers.distributed.sharding import ShardedState
from workers.export import Sample, export_model, verify_answers, verify_saved_bits

ADAPTERS = [s for s in [*METHODS, Lora(rank=2)] if s.kind not in ("head-only", "bitfit", "ln-tuning")]


def kept(directory, settings):
    adapted = stirred("bert", settings)
    inputs = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
    sample = Sample(inputs, answers(adapted.model).clone())
    export_model(adapted, None, directory, "adapters")
    return adapted, sample


def prove(adapted, directory, sample):
    verify_answers(adapted, directory, sample, half=False)


@pytest.mark.parametrize("settings", ADAPTERS, ids=lambda s: s.kind)
def test_what_is_kept_is_proved(tmp_path, settings):
    adapted, sample = kept(tmp_path / "kept", settings)
    prove(adapted, tmp_path / "kept", sample)


WHOLE = [s for s in ADAPTERS if s.kind not in ("prefix", "prompt", "p-tuning", "top-layers")]


@pytest.mark.parametrize("settings", WHOLE, ids=lambda s: s.kind)
def test_what_is_kept_of_spread_weights_is_proved_by_its_bits(tmp_path, settings):
    """Answers in half precision would not do: a copy of the same weights in full rounds otherwise."""
    adapted = stirred("bert", settings)
    trained = clone_weights(trained_weights(adapted.model))
    export_model(adapted, None, tmp_path / "kept", "adapters", trained)
    verify_saved_bits(adapted, tmp_path / "kept", trained)
    file = tmp_path / "kept" / "adapter_model.safetensors"
    tensors = load_file(file)
    first = next(iter(tensors))
    tensors[first].view(-1)[0] += 1e-6
    save_file(tensors, file)
    with pytest.raises(UnfaithfulCopyError):
        verify_saved_bits(adapted, tmp_path / "kept", trained)


def empty(tensors):
    return {name: torch.zeros(0) if "lora_" in name else value for name, value in tensors.items()}


def partial(tensors):
    return dict(list(tensors.items())[1:])


def blank(tensors):
    return {name: torch.zeros_like(value) for name, value in tensors.items()}


@pytest.mark.parametrize("damage", [empty, partial, blank])
@pytest.mark.parametrize("settings", [Lora(rank=2), AdaLora(rank=2)], ids=lambda s: s.kind)
def test_a_damaged_copy_is_found_out(tmp_path, settings, damage):
    adapted, sample = kept(tmp_path / "kept", settings)
    trained = clone_weights(trained_weights(adapted.model))
    file = tmp_path / "kept" / "adapter_model.safetensors"
    save_file({n: v.contiguous() for n, v in damage(load_file(file)).items()}, file)
    for half in (False, True):
        with pytest.raises(UnfaithfulCopyError, match="is not the one that was trained"):
            verify_answers(adapted, tmp_path / "kept", sample, half=half)
    with pytest.raises(UnfaithfulCopyError, match="is not the one that was trained"):
        verify_saved_bits(adapted, tmp_path / "kept", trained)


def test_in_half_precision_a_copy_may_round_otherwise(tmp_path):
    """As another kernel does: it is the same adapter."""
    adapted, sample = kept(tmp_path / "kept", Lora(rank=2))
    rounded = Sample(sample.inputs, sample.logits.bfloat16().float())
    with pytest.raises(UnfaithfulCopyError):
        verify_answers(adapted, tmp_path / "kept", rounded, half=False)
    verify_answers(adapted, tmp_path / "kept", rounded, half=True)


def checkpointed(adapted, directory, step, best):
    write(
        directory,
        snapshot(adapted, ShardedState("none", {}, None), best, TrainProgress("f", step=step), ALONE),
    )


@pytest.mark.parametrize("damage", [empty, partial, blank])
@pytest.mark.parametrize("which", ["weights", "best"])
def test_a_checkpoint_that_is_not_what_trains_is_none(tmp_path, monkeypatch, damage, which):
    """As a library would write it that gathers weights wrongly, or a disk that loses some."""
    adapted = stirred("bert", Lora(rank=2))
    best = clone_weights(trained_weights(adapted.model))
    directory = tmp_path / "checkpoint"
    checkpointed(adapted, directory, 1, best)

    def damaged(tensors, file):
        save_file(damage(tensors) if file.stem == which else tensors, file)

    monkeypatch.setattr(checkpoint_writer, "save_file", damaged)
    with pytest.raises(UnfaithfulCopyError, match=rf"{which}.safetensors does not hold what trains"):
        checkpointed(adapted, directory, 2, best)
    assert [place.name for place in saved(directory)] == ["step-1"]


def test_a_damaged_optimiser_is_not_resumed_from(tmp_path):
    """One bit of it; torch loads that without a word."""
    directory = tmp_path / "checkpoint"
    checkpointed(stirred("bert", Lora(rank=2)), directory, 1, None)
    [place] = saved(directory)
    file = place / "state.pt"
    content = bytearray(file.read_bytes())
    content[content.index(torch.get_rng_state().numpy().tobytes()) + 100] ^= 1
    Checkpoint(place, "f")
    file.write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match="damaged"):
        Checkpoint(place, "f")
