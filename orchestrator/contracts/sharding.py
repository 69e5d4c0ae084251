"""Which methods cannot train with what several processes share out: the planner offers it to no cell, and the
worker refuses it."""

from __future__ import annotations

from orchestrator.contracts.methods import Settings
from orchestrator.contracts.resources import Sharding

SPREADS_WEIGHTS: frozenset[Sharding] = frozenset({"zero3", "fsdp"})  # no process holds a whole model


def why_not_shared(settings: Settings, sharding: Sharding) -> str | None:
    """Return why a method cannot train so; None where it can."""
    if sharding == "none":
        return None
    return settings.unsupported_sharding(spreads_weights=sharding in SPREADS_WEIGHTS)
