"""Where the weights of a sweep came from, in words that fit a table."""

from __future__ import annotations

from orchestrator.contracts.backbone import (
    BackboneSpec,
    FolderWeights,
    HubWeights,
    MadeWeights,
    PackageWeights,
    pretraining_known,
)
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord


class WeightsOrigin(Record):
    backbone: str
    source: str
    revision: str | None  # a commit of the hub; None where the weights have none
    licence: str | None
    saw: tuple[str, ...] | None  # corpora of its pretraining that are tasks elsewhere; None: not known


def weights_of(sweep: SweepRecord) -> tuple[WeightsOrigin, ...]:
    """Describe the backbones that a planned trial uses, by name."""
    used = {t.cell.backbone_key for t in sweep.trials}
    backbones = {b.name: b for place, b in sweep.backbones.items() if place in used}
    return tuple(
        WeightsOrigin(
            backbone=name,
            source=_source(backbones[name]),
            revision=weights.revision if isinstance(weights := backbones[name].weights, HubWeights) else None,
            licence=backbones[name].licence,
            saw=(backbones[name].saw or ()) if pretraining_known(backbones[name]) else None,
        )
        for name in sorted(backbones)
    )


def _source(backbone: BackboneSpec) -> str:
    weights = backbone.weights
    if isinstance(weights, HubWeights):
        return f"hub: {weights.hub}"
    if isinstance(weights, FolderWeights):
        return "a folder of this machine"  # its name may tell more about the machine than a report should
    if isinstance(weights, PackageWeights):
        return f"Python package {weights.package}"
    if isinstance(weights, MadeWeights):
        return f"generated from {weights.corpus} text, {weights.steps} steps"
    return "generated, untrained"
