"""Which methods cannot train with what several processes share out: the planner offers it to no cell, and the
worker refuses it."""

from __future__ import annotations

from orchestrator.contracts.method import AdaLora, Lora, Prefix, Prompt, PTuning, Settings
from orchestrator.contracts.trial import Sharding

SPREADS_WEIGHTS: frozenset[Sharding] = frozenset({"zero3", "fsdp"})  # no process holds a whole model


def why_not_shared(settings: Settings, sharding: Sharding) -> str | None:
    """Return why a method cannot train so; None where it can."""
    if sharding == "none":
        return None
    if isinstance(settings, AdaLora):
        return "adalora reads the gradients of each step, which no process holds whole where they are spread"
    if sharding not in SPREADS_WEIGHTS:
        return None
    if isinstance(settings, Lora) and settings.quantise:
        return f"a base in {settings.quantise} cannot be spread over devices"
    if isinstance(settings, Prefix | Prompt | PTuning):
        return "virtual tokens are kept as a network makes them, which no process holds whole if it is spread"
    return None
