"""Tiny random models of any architecture, adapted by any method."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from accelerate.utils import DistributedType

from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.contracts.vocabulary import TaskKind
from workers.demo.tiny import write_tiny
from workers.distributed.ranks import ALONE
from workers.methods import Adapted, adapt
from workers.models.backbones import Backbone, build, count_planned

LABELS = ("a", "b", "c")
_PLACE = tempfile.TemporaryDirectory()


def tiny_spec(architecture: str, **fields: Any) -> BackboneSpec:
    return BackboneSpec(
        name=architecture,
        model=architecture,
        domain="none",
        architecture=architecture,
        weights=RandomWeights(architecture=architecture),
        **fields,
    )


@cache
def tiny_folder(architecture: str) -> Path:
    folder = Path(_PLACE.name) / architecture
    folder.mkdir()
    write_tiny(RandomWeights(architecture=architecture), folder)
    return folder


def built_tiny(architecture: str, kind: TaskKind = TaskKind.CLASSIFICATION, seed: int = 0) -> Backbone:
    torch.manual_seed(seed)
    return build(tiny_spec(architecture), tiny_folder(architecture), kind, LABELS)


def adapted_tiny(
    architecture: str,
    settings: Any,
    kind: TaskKind = TaskKind.CLASSIFICATION,
    *,
    seed: int = 0,
    steps: int = 10,
) -> Adapted:
    built = built_tiny(architecture, kind, seed)
    return adapt(built.model, settings, tiny_spec(architecture), kind, built.unsaved, steps=steps)


def blank_tiny(architecture: str, settings: Any, kind: TaskKind = TaskKind.CLASSIFICATION) -> Any:
    """The same model on the meta device, as a trial counts on it."""
    spec, folder = tiny_spec(architecture), tiny_folder(architecture)
    return count_planned(spec, folder, settings, kind, len(LABELS)).blank.model


def training_context(device: torch.device) -> Any:
    """Return what `optimiser_step` needs of its process: passes of two examples, in one process."""
    accelerator = SimpleNamespace(
        device=device,
        scaler=None,
        distributed_type=DistributedType.NO,
        no_sync=lambda model: torch.enable_grad(),
    )
    order = SimpleNamespace(pass_size=2, trial=SimpleNamespace(recipe=SimpleNamespace(max_grad_norm=1.0)))
    return SimpleNamespace(accelerator=accelerator, order=order, ranks=ALONE)
