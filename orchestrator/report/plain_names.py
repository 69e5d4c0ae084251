"""Cells in plain words: how large the model is, what it was pretrained on, which weights are trained."""

from __future__ import annotations

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.method import (
    AdaLora,
    Boft,
    Lora,
    Oft,
    Prefix,
    Prompt,
    PTuning,
    Settings,
    TopLayers,
    Vera,
)
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.report.wording import count

_TRAINED = {  # by kind; {} is a setting
    "full": "all weights trained",
    "head-only": "only the head trained",
    "bitfit": "biases trained (BitFit)",
    "ln-tuning": "normalisation layers trained",
    "top-layers": "the top {} layers trained",
    "lora": "low-rank adapters trained (LoRA, rank {})",
    "adalora": "low-rank adapters trained (AdaLoRA, mean rank {})",
    "vera": "scalings of shared matrices trained (VeRA, rank {})",
    "ia3": "scalings of activations trained (IA3)",
    "oft": "rotations of the weights trained (OFT, blocks of {})",
    "boft": "rotations of the weights trained (BOFT, blocks of {})",
    "prefix": "a prefix of {} vectors trained",
    "prompt": "a prompt of {} vectors trained",
    "p-tuning": "a prompt of {} vectors trained (p-tuning)",
}


def plain_name(cell: Cell, sweep: SweepRecord, parameters: int | None) -> str:
    """`tiny with 4.4M parameters, pretrained on clinical text, all weights trained`. `parameters`: as they
    were counted in a trial."""
    backbone, method = sweep.backbones.get(f"{cell.model}/{cell.domain}"), sweep.methods.get(cell.method)
    size = parameters or (None if backbone is None else backbone.parameters)
    model = cell.model if size is None else f"{cell.model} with {count(size)} parameters"
    untrained = backbone is not None and isinstance(backbone.weights, RandomWeights)
    text = "not pretrained" if untrained else f"pretrained on {cell.domain} text"
    return f"{model}, {text}, {cell.method if method is None else trained(method.settings)}"


def rehearsal(sweep: SweepRecord) -> bool:
    """Whether no backbone is pretrained, as in a sweep at smoke size."""
    found = sweep.backbones.values()
    return bool(found) and all(isinstance(backbone.weights, RandomWeights) for backbone in found)


def trained(settings: Settings) -> str:
    """Which weights a method trains."""
    return _TRAINED[settings.kind].format(_size(settings))


def _size(settings: Settings) -> int | None:
    if isinstance(settings, Lora | AdaLora | Vera):
        return settings.rank
    if isinstance(settings, Oft | Boft):
        return settings.block_size
    if isinstance(settings, Prefix | Prompt | PTuning):
        return settings.virtual_tokens
    return settings.layers if isinstance(settings, TopLayers) else None
