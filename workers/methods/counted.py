"""What a method is to train of a backbone, counted without its weights, and the check that it trains that.

The count comes from the architecture, on the meta device, and from the names in the headers of the weights.
So nothing that a folder holds beside them can change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.outcome import Parameters
from orchestrator.contracts.safetensors_files import listed
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.contracts.weights_folder import WeightsFolder
from orchestrator.errors import WeightsError
from workers.methods.adapt import Adapted, adapt, head_modules
from workers.methods.targets import Names


@dataclass(frozen=True)
class Counted:
    """`trained`: shapes of the weights that train, by name. `heads`: modules that every method trains.
    `blank`: the adapted model that was counted, on the meta device."""

    parameters: Parameters
    trained: Mapping[str, tuple[int, ...]]
    heads: Names
    folder: WeightsFolder | None  # of the weights
    blank: Adapted


def count_trained(
    model: Any, settings: Settings, spec: BackboneSpec, kind: TaskKind, folder: WeightsFolder | None
) -> Counted:
    """Counts by adapting `model`, which is on the meta device. `folder`: None where there are no weights.

    Draws from torch's global generator. Raises WeightsError where the method cannot adapt the architecture.
    """
    unsaved = _unsaved(spec, model, folder)
    heads = head_modules(model) + unsaved
    adapted = adapt(model, settings, spec, kind, unsaved, meta=True)
    return Counted(adapted.parameters, _trained(adapted), heads, folder, adapted)


def check_trained(adapted: Adapted, counted: Counted, spec: BackboneSpec) -> None:
    """Raises WeightsError unless what trains is what was counted, name by name and number by number."""
    trained, expected = _trained(adapted), counted.trained
    absent = sorted(expected.keys() - trained.keys())
    foreign = sorted(trained.keys() - expected.keys())
    reshaped = sorted(name for name in trained.keys() & expected.keys() if trained[name] != expected[name])
    if not absent and not foreign and not reshaped:
        return
    counts = f"{counted.parameters.trainable:,} weights, and would train {adapted.parameters.trainable:,}"
    parts = [
        f"{what}: {listed(names)}"
        for what, names in (("frozen", absent), ("not planned", foreign), ("of another shape", reshaped))
        if names
    ]
    raise WeightsError(
        f"backbone {spec.name}: {adapted.settings.kind} is planned to train {counts}"
        f"; {'; '.join(parts)}\n"
        "    -> use transformers and peft as constraints.txt pins them, and a folder that holds one model"
    )


def _trained(adapted: Adapted) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in adapted.model.named_parameters() if p.requires_grad}


def _unsaved(spec: BackboneSpec, model: Any, folder: WeightsFolder | None) -> Names:
    """The pooler, where the model has one and its weights do not: it trains with the head."""
    name = f"{model.base_model_prefix}.pooler"
    has_weights = any(key.startswith(name + ".") for key, _ in model.named_parameters())
    lacking = isinstance(spec.weights, MadeWeights) if folder is None else folder.lacks_pooler
    return (name,) if has_weights and lacking else ()
