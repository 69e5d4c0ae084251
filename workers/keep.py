"""The weights that a finished trial leaves behind, and where nobody asked for more, only the small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from peft import PeftConfig, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from orchestrator.contracts.method import AdaLora, Full, HeadOnly
from workers.checkpoint import copy_of, put_back, trained_weights
from workers.methods import Adapted, settle_ranks

_HEAD, _TRAINED = "head.safetensors", "trained.safetensors"


def keep_model(
    adapted: Adapted, tokenizer: Any, directory: Path, wanted: Literal["all", "adapters", "none"]
) -> int | None:
    """Saves the model as it is; gives the bytes on disk, None if nothing was to be kept.

    An adapter goes out in PEFT's format, with its head; so does the configuration, which holds the label map.
    Of a method that trains some of the model's own weights "adapters" keeps those, by their names in the
    model; "all" keeps, for it and for a full one, the whole model in hub layout.
    """
    if wanted == "none" or (wanted == "adapters" and isinstance(adapted.settings, Full)):
        return None
    directory.mkdir()
    if adapted.is_adapter:
        if isinstance(adapted.settings, AdaLora):
            settle_ranks(adapted.model)
        adapted.model.save_pretrained(directory)
        adapted.model.get_base_model().config.save_pretrained(directory)
    elif wanted == "all":
        adapted.model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
    else:
        save_file(copy_of(trained_weights(adapted.model)), directory / _own_weights(adapted))
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


def _own_weights(adapted: Adapted) -> str:
    return _HEAD if isinstance(adapted.settings, HeadOnly) else _TRAINED
