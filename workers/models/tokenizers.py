"""The tokenizer in a folder of weights. It needs no torch, which takes seconds to import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.errors import WeightsError
from workers.models.foreign_tokenizers import LOADING_SECONDS, bounded


def load_tokenizer(spec: BackboneSpec, directory: Path) -> Any:
    """Return the fast tokenizer, padding on the right, with a padding token even if a decoder has none.

    If the entry says whether the backbone is cased, it decides: a folder with only a vocabulary file would be
    read in lower case, such as Bio_ClinicalBERT's, whose words are cased.
    """
    with bounded(spec.name, LOADING_SECONDS):
        return _fitting_tokenizer(spec, directory)


def _fitting_tokenizer(spec: BackboneSpec, directory: Path) -> Any:
    tokenizer = _read_tokenizer(spec, directory)
    if not tokenizer.is_fast:
        raise WeightsError(
            f"backbone {spec.name}: {directory} has no fast tokenizer\n    -> add a tokenizer.json to it"
        )
    if not isinstance(spec.weights, RandomWeights) and _lowers(tokenizer) == spec.cased:
        tokenizer = _read_tokenizer(spec, directory, do_lower_case=not spec.cased)
        if _lowers(tokenizer) == spec.cased:
            raise WeightsError(
                f"backbone {spec.name}: its catalogue entry says cased: {str(spec.cased).lower()}, the "
                f"tokenizer in {directory} does the opposite\n"
                "    -> correct cased in the entry, or leave it out"
            )
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _read_tokenizer(spec: BackboneSpec, directory: Path, **options: Any) -> Any:
    try:
        return AutoTokenizer.from_pretrained(
            directory, use_fast=True, trust_remote_code=False, local_files_only=True, **options
        )
    except (OSError, ValueError, KeyError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: no tokenizer can be loaded from {directory} ({type(failed).__name__})\n"
            "    -> the folder needs tokenizer.json, or the vocabulary file of its architecture"
        ) from failed


def _lowers(tokenizer: Any) -> bool:
    normaliser = tokenizer.backend_tokenizer.normalizer
    return normaliser is not None and "A" not in normaliser.normalize_str("A")
