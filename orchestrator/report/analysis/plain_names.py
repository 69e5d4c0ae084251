"""Cells in plain words: how large the model is, what it was pretrained on, which weights are trained."""

from __future__ import annotations

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.units import short_count


def plain_name(cell: Cell, sweep: SweepRecord, parameters: int | None) -> str:
    """`tiny with 4.4M parameters, pretrained on clinical text, all weights trained`. `parameters`: as they
    were counted in a trial. Empty for runs that Frontier did not make: what they trained is not known."""
    if sweep.runs_from is not None:
        return ""
    backbone, method = sweep.backbones.get(cell.backbone_key), sweep.methods.get(cell.method)
    size = parameters or (None if backbone is None else backbone.parameters)
    model = cell.model if size is None else f"{cell.model} with {short_count(size)} parameters"
    untrained = backbone is not None and isinstance(backbone.weights, RandomWeights)
    text = "not pretrained" if untrained else f"pretrained on {cell.domain} text"
    return f"{model}, {text}, {cell.method if method is None else method.settings.description}"


def rehearsal(sweep: SweepRecord) -> bool:
    """Return whether no backbone is pretrained, as in a sweep at smoke size."""
    backbones = sweep.backbones.values()
    return bool(backbones) and all(isinstance(backbone.weights, RandomWeights) for backbone in backbones)
