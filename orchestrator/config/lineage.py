"""What backbones inherit along their lineage: the corpora that those before them read in pretraining."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.contracts.backbone import BackboneSpec, HubWeights

Place = tuple[str, str]  # model, domain


def with_inherited(backbones: Mapping[Place, BackboneSpec]) -> dict[Place, BackboneSpec]:
    """`saw` of each, with that of the entries it was distilled or went on from, those of all before them
    included. An entry that says nothing itself has theirs; where they say nothing either it stays unknown."""
    by_name = {b.name: b for b in backbones.values()}
    by_repository = {b.weights.hub: b for b in backbones.values() if isinstance(b.weights, HubWeights)}
    known = by_repository | by_name
    return {
        place: backbone.model_copy(update={"saw": _saw(backbone, known, frozenset())})
        for place, backbone in backbones.items()
    }


def _saw(
    backbone: BackboneSpec, backbones: Mapping[str, BackboneSpec], below: frozenset[str]
) -> tuple[str, ...] | None:
    """Return the corpora in the order of the lineage, oldest first. `below` holds the backbones that led
    here, because a lineage may be a cycle."""
    names, seen = (backbone.lineage.teacher, backbone.lineage.started_from), below | {backbone.name}
    before = [backbones[name] for name in names if name is not None and name in backbones]
    histories = [_saw(ancestor, backbones, seen) for ancestor in before if ancestor.name not in seen]
    histories.append(backbone.saw)
    if all(saw is None for saw in histories):
        return None
    return tuple(dict.fromkeys(corpus for saw in histories if saw is not None for corpus in saw))
