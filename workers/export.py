"""The weights that a finished trial saves: by default only small ones."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from orchestrator.contracts.kept_weights import KeepWeights
from workers.batches import collate
from workers.checkpoint import (
    UnfaithfulCopyError,
    Weights,
    clone_weights,
    load_trained_weights,
    trained_weights,
)
from workers.checkpoint_writer import same_bits
from workers.distributed.saving import save_model
from workers.inputs import TaskData
from workers.methods import Adapted

_HEAD, _TRAINED = "head.safetensors", "trained.safetensors"
_SAMPLE = 8  # examples
_LIKE = 1e-4  # of each logit
_LIKE_IN_HALF = 1e-2  # of all of them
_DIFFERS = (
    "the adapter was saved, but loaded again it is not the one that was trained\n"
    "    -> do not use its file; set keep_weights to all, and sharding to none if it is set"
)


def export_model(
    adapted: Adapted,
    tokenizer: Any,
    directory: Path,
    keep: KeepWeights,
    trained: Weights | None = None,
    most_bytes: float | None = None,
) -> int | None:
    """Save the model as it is; return the bytes on disk, None if nothing was to be saved. `trained`: the full
    trained weights, for a model that is sharded over ranks.

    An adapter goes out in PEFT's format, with its head; so does the configuration, which holds the label map.
    Of a method that trains some of the model's own weights "adapters" keeps those, by their names in the
    model; "all" keeps, for it and for a full one, the whole model in hub layout. Where frozen weights are
    sharded or in half precision it saves those that train: the others are the backbone's. "frontier" keeps
    what "adapters" does, and a fully trained model of at most `most_bytes`. What cannot be written whole
    leaves nothing: a disk that it filled has to take the records of the failure.
    """
    if keep == "none" or (adapted.settings.trains_everything and not _kept_whole(adapted, keep, most_bytes)):
        return None
    directory.mkdir()
    try:
        _save(adapted, tokenizer, directory, keep, trained)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return sum(file.stat().st_size for file in directory.iterdir())


def _save(
    adapted: Adapted, tokenizer: Any, directory: Path, keep: KeepWeights, trained: Weights | None
) -> None:
    if adapted.is_adapter:
        adapted.method.before_saving(adapted.model)
        save_model(adapted.model, directory, state_dict=_state(adapted.model, trained))
        adapted.model.get_base_model().config.save_pretrained(directory)
    elif adapted.settings.trains_everything or (keep == "all" and _whole_and_full(adapted.model)):
        save_model(adapted.model, directory, state_dict=_state(adapted.model, trained))
        tokenizer.save_pretrained(directory)
    else:
        save_file(trained or clone_weights(trained_weights(adapted.model)), directory / _own_weights(adapted))
        adapted.model.config.save_pretrained(directory)


def _kept_whole(adapted: Adapted, keep: KeepWeights, most_bytes: float | None) -> bool:
    """Return whether a fully trained model is saved. It is saved in full precision."""
    if keep != "frontier" or most_bytes is None:
        return keep in ("all", "frontier")
    return adapted.parameters.total * torch.float32.itemsize <= most_bytes


def load_exported(adapted: Adapted, directory: Path) -> None:
    """Load what `export_model` saved of a method other than full into a model that the method has just
    adapted. That model then gives the same answers as the saved one; it is not for further training.

    Raises UnreadableCheckpointError where the weights are not those of this method.
    """
    if not adapted.is_adapter:
        load_trained_weights(adapted.model, load_file(directory / _own_weights(adapted)))
        return
    saved = PeftConfig.from_pretrained(directory)
    config = adapted.model.peft_config["default"]
    config.inference_mode = True  # virtual tokens are kept as they come out of the network that makes them
    adapted.method.before_loading(config, saved)
    set_peft_model_state_dict(adapted.model, load_peft_weights(directory, device="cpu"))


def _state(model: Any, trained: Weights | None) -> dict[str, Any]:
    """Return the model's state with the trained weights in it. The rest is needed as well: frozen weights of
    a whole model, the projections that VeRA draws."""
    return {**model.state_dict(), **(trained or {})}


def _whole_and_full(model: Any) -> bool:
    return not _spread(model) and all(p.dtype is torch.float32 for p in model.parameters())


def _spread(model: Any) -> bool:
    """Return whether weights are sharded over ranks, by fully_shard or ZeRO-3."""
    return any(hasattr(p, "ds_id") or hasattr(p, "full_tensor") for p in model.parameters())


@dataclass(frozen=True, repr=False)
class Sample:
    """A few inputs, and the model's logits for them."""

    inputs: dict[str, Tensor]
    logits: Tensor

    @classmethod
    def of(cls, model: Any, data: TaskData) -> Sample:
        """Return a sample of the test part in evaluation mode. The model must not be sharded."""
        rows = list(range(min(_SAMPLE, len(data.test))))
        inputs, _ = collate(data.test, rows, data.pad, next(model.parameters()).device)
        return cls(inputs, _logits(model, inputs))


def _logits(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    model.eval()
    with torch.no_grad():
        logits: Tensor = model(**inputs).logits.float().cpu()
    return logits


def verify_saved_bits(adapted: Adapted, directory: Path, trained: Weights) -> None:
    """Read a saved adapter back and compare it bit by bit. No rank has a full model that could load it, and
    answers in half precision would not show small differences.

    Raises UnfaithfulCopyError where it does not hold `trained`.
    """
    expected = get_peft_model_state_dict(adapted.model, state_dict=_state(adapted.model, trained))
    written = load_peft_weights(directory, device="cpu")
    held = {id(value) for value in expected.values()}
    complete = all(id(value) in held for value in trained.values()) and written.keys() == expected.keys()
    if not complete or not all(same_bits(written[name], value) for name, value in expected.items()):
        raise UnfaithfulCopyError(_DIFFERS)


def verify_answers(adapted: Adapted, directory: Path, sample: Sample, *, half: bool) -> None:
    """Load a saved adapter and compare its answers with those of the trained model, which cannot be used
    afterwards. `half`: the model answers in half precision, or on a quantised base.

    Raises UnfaithfulCopyError where they differ: tensors that were saved empty, or not at all.
    """
    with torch.no_grad():
        for parameter in trained_weights(adapted.model).values():
            parameter.fill_(torch.nan)
    try:
        load_exported(adapted, directory)
    except (RuntimeError, KeyError, ValueError) as error:  # tensors of another shape, or none
        raise UnfaithfulCopyError(_DIFFERS) from error
    device = next(adapted.model.parameters()).device
    logits = _logits(adapted.model, {name: value.to(device) for name, value in sample.inputs.items()})
    if not _alike(logits, sample.logits, half=half):
        raise UnfaithfulCopyError(_DIFFERS)


def _alike(logits: Tensor, expected: Tensor, *, half: bool) -> bool:
    """Return whether the logits agree; never with NaN. In half precision kernels may round differently."""
    if half:
        return bool((logits - expected).norm() <= _LIKE_IN_HALF * expected.norm())
    return torch.allclose(logits, expected, rtol=_LIKE, atol=_LIKE)


def _own_weights(adapted: Adapted) -> str:
    return _HEAD if adapted.settings.trains_head_alone else _TRAINED
