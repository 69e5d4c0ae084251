"""The weights that a finished trial leaves behind, and where nobody asked for more, only the small ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftConfig, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from orchestrator.contracts.method import AdaLora, Full, HeadOnly
from workers.batches import collate
from workers.checkpoint import UnfaithfulCopyError, Weights, copy_of, put_back, trained_weights
from workers.inputs import TaskData
from workers.methods import Adapted, settle_ranks

_HEAD, _TRAINED = "head.safetensors", "trained.safetensors"
_SAMPLE = 8  # examples
_LIKE = {False: 1e-4, True: 5e-2}  # of logits; spread weights may answer in half precision, a copy in full


def keep_model(
    adapted: Adapted,
    tokenizer: Any,
    directory: Path,
    wanted: Literal["all", "adapters", "none"],
    trained: Weights | None = None,
) -> int | None:
    """Saves the model as it is; gives the bytes on disk, None if nothing was to be kept. `trained`: the
    weights that train, whole, for a model whose own are spread over ranks.

    An adapter goes out in PEFT's format, with its head; so does the configuration, which holds the label map.
    Of a method that trains some of the model's own weights "adapters" keeps those, by their names in the
    model; "all" keeps, for it and for a full one, the whole model in hub layout. Where frozen weights are
    spread over ranks or lie in half precision it keeps those that train: the others are the backbone's.
    """
    if wanted == "none" or (wanted == "adapters" and isinstance(adapted.settings, Full)):
        return None
    directory.mkdir()
    if adapted.is_adapter:
        if isinstance(adapted.settings, AdaLora):
            settle_ranks(adapted.model)
        adapted.model.save_pretrained(directory, state_dict=_state(adapted.model, trained))
        adapted.model.get_base_model().config.save_pretrained(directory)
    elif wanted == "all" and (isinstance(adapted.settings, Full) or _whole_and_full(adapted.model)):
        adapted.model.save_pretrained(directory, state_dict=_state(adapted.model, trained))
        tokenizer.save_pretrained(directory)
    else:
        save_file(trained or copy_of(trained_weights(adapted.model)), directory / _own_weights(adapted))
        adapted.model.config.save_pretrained(directory)
    return sum(file.stat().st_size for file in directory.iterdir())


def load_kept(adapted: Adapted, directory: Path) -> None:
    """Puts what `keep_model` kept of a method other than full into a model that is adapted afresh by it. That
    model then says what the kept one said; it is not for further training.

    Raises UnreadableCheckpointError where the weights are not those of this method.
    """
    if not adapted.is_adapter:
        put_back(adapted.model, load_file(directory / _own_weights(adapted)))
        return
    saved = PeftConfig.from_pretrained(directory)
    config = adapted.model.peft_config["default"]
    config.inference_mode = True  # virtual tokens are kept as they come out of the network that makes them
    if isinstance(adapted.settings, AdaLora):
        config.rank_pattern = saved.rank_pattern
    set_peft_model_state_dict(adapted.model, load_peft_weights(directory, device="cpu"))


def _state(model: Any, trained: Weights | None) -> dict[str, Any]:
    """The model's own, and in their places the weights that train. What it holds beside is needed as well:
    frozen weights of a whole model, the projections that VeRA draws."""
    return {**model.state_dict(), **(trained or {})}


def _whole_and_full(model: Any) -> bool:
    return not _spread(model) and all(p.dtype is torch.float32 for p in model.parameters())


def _spread(model: Any) -> bool:
    """Over ranks, by fully_shard or ZeRO-3: each holds parts of weights."""
    return any(hasattr(p, "ds_id") or hasattr(p, "full_tensor") for p in model.parameters())


@dataclass(frozen=True, repr=False)
class Sample:
    """A few inputs, and the model's logits for them."""

    inputs: dict[str, Tensor]
    logits: Tensor

    @classmethod
    def of(cls, model: Any, data: TaskData) -> Sample:
        """In evaluation mode. With spread weights all ranks have to ask."""
        rows = list(range(min(_SAMPLE, len(data.test))))
        inputs, _ = collate(data.test, rows, data.pad, next(model.parameters()).device)
        return cls(inputs, _logits(model, inputs))


def _logits(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    model.eval()
    with torch.no_grad():
        found: Tensor = model(**inputs).logits.float().cpu()
    return found


def prove_kept(adapted: Adapted, directory: Path, sample: Sample, afresh: Callable[[], Adapted]) -> None:
    """Loads an adapter that was kept, and compares its answers with those of the trained model, which is good
    for nothing else afterwards. `afresh`: such a model before training, for one whose weights are spread.

    Raises UnfaithfulCopyError where they differ: tensors that were saved empty, or not at all.
    """
    spread = _spread(adapted.model)
    copy = afresh() if spread else adapted
    with torch.no_grad():
        for parameter in trained_weights(copy.model).values():
            parameter.fill_(torch.nan)
    if not _answers_alike(copy, directory, sample, _LIKE[spread]):
        raise UnfaithfulCopyError(
            "the adapter was saved, but loaded again it answers differently\n"
            "    -> its file is not to be used; sharding: none keeps whole weights"
        )


def _answers_alike(copy: Adapted, directory: Path, sample: Sample, within: float) -> bool:
    try:
        load_kept(copy, directory)
    except (RuntimeError, KeyError, ValueError):  # tensors of another shape, or none
        return False
    device = next(copy.model.parameters()).device
    found = _logits(copy.model, {name: value.to(device) for name, value in sample.inputs.items()})
    return torch.allclose(found, sample.logits, rtol=within, atol=within)


def _own_weights(adapted: Adapted) -> str:
    return _HEAD if isinstance(adapted.settings, HeadOnly) else _TRAINED
