"""Save a model in the layout of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.contracts.hidden import hidden


def save_model(model: Any, directory: Path, **options: Any) -> None:
    """Call the model's `save_pretrained` with `options`.

    transformers asks whether the model is an engine of DeepSpeed, and imports DeepSpeed in order to ask: that
    takes longer than a short training. Where nothing has imported it so far, the model is not one.
    """
    with hidden("deepspeed"):
        model.save_pretrained(directory, **options)
