"""How a backbone is adapted: which weights train, what an adapter wraps, how many scalars that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import (
    AdaLora,
    Boft,
    Full,
    HeadOnly,
    Ia3,
    Lora,
    Oft,
    Prefix,
    Prompt,
    PTuning,
    Settings,
    Vera,
)
from orchestrator.contracts.outcome import Parameters
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.adalora import RankKeeper
from workers.methods.adapters import wrap, wrapped_modules
from workers.methods.quantised import prepare_quantised
from workers.methods.refusal import UnsupportedError
from workers.methods.selective import select
from workers.methods.targets import Names
from workers.methods.virtual import with_virtual_tokens


@dataclass(frozen=True)
class Adapted:
    """`model` trains exactly what its method says; `backbone` is the part of it outside the head."""

    model: Any
    backbone: nn.Module
    settings: Settings
    parameters: Parameters
    ranks: RankKeeper | None = None  # of AdaLoRA

    @property
    def is_adapter(self) -> bool:
        """Whether the method adds weights of its own, which PEFT saves and loads."""
        adapters = Lora | AdaLora | Vera | Ia3 | Oft | Boft | Prefix | Prompt | PTuning
        return isinstance(self.settings, adapters)

    def train_mode(self) -> None:
        """Dropout on, except in a backbone that is only read from (head-only)."""
        self.model.train()
        if isinstance(self.settings, HeadOnly):
            self.backbone.eval()
        if self.ranks:
            self.ranks.watch()

    def penalty(self) -> Tensor | None:
        """What the method adds to the loss of an optimiser step, once however many passes it has."""
        return self.ranks.penalty() if self.ranks else None

    def after_step(self, step: int) -> None:
        """What the method does after optimiser step `step`, counted from 1."""
        if self.ranks:
            self.ranks.after_step(step)

    def memory(self) -> dict[str, Tensor]:
        """What a resumed trial needs beside the trained weights: copies on the CPU, often none."""
        return self.ranks.memory() if self.ranks else {}

    def remember(self, memory: dict[str, Tensor]) -> None:
        """Takes up what `memory` gave."""
        if self.ranks:
            self.ranks.remember(memory)


def adapt(
    model: Any,
    settings: Settings,
    spec: BackboneSpec,
    kind: TaskKind,
    unsaved: Names = (),
    *,
    steps: int | None = None,
    meta: bool = False,
) -> Adapted:
    """Freezes, wraps and counts. The head trains under every method: all of the model outside the backbone,
    and the `unsaved` modules inside it. Draws adapters from torch's global generator.

    `steps` are the planned optimiser steps; AdaLoRA cannot do without. `meta`: no storage is touched. Raises
    WeightsError where the method cannot stand on this architecture.
    """
    backbone = getattr(model, model.base_model_prefix)
    heads = head_modules(model) + unsaved
    total = count(model.parameters())
    head = sum(count(model.get_submodule(name).parameters()) for name in heads)
    matched: Names = ()
    if not meta:
        model = prepare_quantised(model, spec, settings)
    if isinstance(settings, Prefix | Prompt | PTuning):
        model = with_virtual_tokens(model, settings, spec, kind, heads)
    elif isinstance(settings, Lora | AdaLora | Vera | Ia3 | Oft | Boft):
        model = _wrapped(model, settings, spec, kind, heads, steps, meta)
        matched = wrapped_modules(model)
    elif not isinstance(settings, Full):
        select(model, settings, spec, heads)
    trainable = count(p for p in model.parameters() if p.requires_grad)
    parameters = Parameters(
        total=total,
        trainable=trainable,
        adapter=0 if isinstance(settings, Full) else trainable - head,
        head=head,
        matched_modules=matched,
    )
    ranks = RankKeeper(model) if isinstance(settings, AdaLora) and not meta else None
    return Adapted(model, backbone, settings, parameters, ranks)


def _wrapped(
    model: Any, settings: Any, spec: BackboneSpec, kind: TaskKind, heads: Names, steps: int | None, meta: bool
) -> Any:
    try:
        return wrap(model, settings, spec, kind, heads, steps=steps, meta=meta)
    except (ValueError, TypeError, NotImplementedError) as refused:
        words = " ".join(str(refused).split())
    raise UnsupportedError(spec, f"PEFT cannot put {settings.kind} on it: {words}", "use another method")


def count(parameters: Iterable[Any]) -> int:
    """Scalars. Of 4-bit weights, two lie in a byte."""
    return sum(
        p.numel() * (2 * p.element_size() if type(p).__name__ == "Params4bit" else 1) for p in parameters
    )


def head_modules(model: Any) -> Names:
    """Top-level modules outside the backbone that hold weights. PEFT's own guess leaves some frozen."""
    return tuple(
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    )
