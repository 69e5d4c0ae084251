"""The weights that a finished trial leaves behind, and where nobody asked for more, only the small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file

from orchestrator.contracts.method import Full
from workers.checkpoint import copy_of, trained_weights
from workers.methods import Adapted


def keep_model(
    adapted: Adapted, tokenizer: Any, directory: Path, wanted: Literal["all", "adapters", "none"]
) -> int | None:
    """Saves the model as it is; gives the bytes on disk, None if nothing was to be kept.

    An adapter goes out in PEFT's format, with its head; so does the configuration, which holds the label map.
    Of a head-only trial "adapters" keeps the head's tensors by their names in the model; "all" keeps, for it
    and for a full one, the whole model in hub layout.
    """
    if wanted == "none" or (wanted == "adapters" and isinstance(adapted.settings, Full)):
        return None
    directory.mkdir()
    if adapted.is_adapter:
        adapted.model.save_pretrained(directory)
        adapted.model.get_base_model().config.save_pretrained(directory)
    elif wanted == "all":
        adapted.model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
    else:
        save_file(copy_of(trained_weights(adapted.model)), directory / "head.safetensors")
        adapted.model.config.save_pretrained(directory)
    return sum(file.stat().st_size for file in directory.iterdir())
