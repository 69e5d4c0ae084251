"""Adapt a backbone: choose the weights that train, wrap modules in adapters, count the scalars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.outcome import Parameters
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.base import Context, Method, StepHook, import_all, method_of
from workers.methods.layer_adapters import wrapped_modules
from workers.methods.quantised import prepare_quantised
from workers.methods.targets import Names

import_all()


@dataclass(frozen=True)
class Adapted:
    """`model` trains exactly what its method says; `backbone` is the part of it outside the head."""

    model: Any
    backbone: nn.Module
    settings: Settings
    parameters: Parameters
    hook: StepHook | None = None

    @property
    def is_adapter(self) -> bool:
        """Return whether the method adds weights of its own, which PEFT saves and loads."""
        return self.settings.is_adapter

    @property
    def method(self) -> Method[Any]:
        return method_of(self.settings)

    def train_mode(self) -> None:
        """Switch dropout on, except in a backbone that head-only leaves as it is."""
        self.model.train()
        if self.settings.trains_head_alone:
            self.backbone.eval()
        if self.hook:
            self.hook.watch()

    def penalty(self) -> Tensor | None:
        """Return what the method adds to the loss of an optimiser step, once however many passes it has."""
        return self.hook.penalty() if self.hook else None

    def after_step(self, step: int) -> None:
        """Run the method's hook after optimiser step `step`, counted from 1."""
        if self.hook:
            self.hook.after_step(step)

    def extra_state(self) -> dict[str, Tensor]:
        """Return what a resumed trial needs beside the trained weights: copies on the CPU, often none."""
        return self.hook.extra_state() if self.hook else {}

    def load_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore what `extra_state` returned."""
        if self.hook:
            self.hook.load_extra_state(state)


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
    """Freeze, wrap and count. The head trains under every method: all of the model outside the backbone,
    and the `unsaved` modules inside it. Draws adapters from torch's global generator.

    `steps` are the planned optimiser steps; AdaLoRA needs them. `meta`: no storage is touched. Raises
    WeightsError where this architecture does not support the method.
    """
    backbone = getattr(model, model.base_model_prefix)
    heads = head_modules(model) + unsaved
    total = count(model.parameters())
    head = sum(count(model.get_submodule(name).parameters()) for name in heads)
    if not meta:
        model = prepare_quantised(model, spec, settings)
    method = method_of(settings)
    model = method.adapt(model, settings, Context(spec, kind, heads, steps, meta))
    trainable = count(p for p in model.parameters() if p.requires_grad)
    parameters = Parameters(
        total=total,
        trainable=trainable,
        adapter=0 if settings.trains_everything else trainable - head,
        head=head,
        matched_modules=wrapped_modules(model) if settings.is_adapter else (),
    )
    return Adapted(model, backbone, settings, parameters, None if meta else method.step_hook(model))


def count(parameters: Iterable[Any]) -> int:
    """Return the number of scalars. A byte holds two 4-bit weights."""
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
