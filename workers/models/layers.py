"""Layer dropping: keep some of the backbone's layers (`keep_layers` of a catalogue entry)."""

from __future__ import annotations

from typing import Any

from torch import nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.errors import WeightsError

# The path of the layers in the backbone. Architectures that share layers, or whose configuration has entries
# per layer that we do not handle, are left out.
_STACKS = {
    "bert": "encoder.layer",
    "distilbert": "transformer.layer",
    "electra": "encoder.layer",
    "eurobert": "layers",
    "gemma2": "layers",
    "llama": "layers",
    "mistral": "layers",
    "mobilebert": "encoder.layer",
    "qwen2": "layers",
    "qwen3": "layers",
    "roberta": "encoder.layer",
    "xlm-roberta": "encoder.layer",
}


def keep_layers(spec: BackboneSpec, model: Any) -> None:
    """Drop the other layers in place and write the new number into the configuration, so that the model saves
    and loads as an ordinary one. Raises WeightsError for an unsupported architecture or an unknown layer."""
    if spec.keep_layers is None:
        return
    path = _STACKS.get(spec.architecture)
    if path is None:
        raise WeightsError(
            f"backbone {spec.name}: it is not known how to drop layers of architecture "
            f"{spec.architecture!r}\n    -> leave keep_layers out; it is known for {', '.join(_STACKS)}"
        )
    holder = model.base_model.get_submodule(path.rpartition(".")[0])
    name = path.rpartition(".")[2]
    layers = getattr(holder, name)
    if bad := [number for number in spec.keep_layers if number >= len(layers)]:
        raise WeightsError(
            f"backbone {spec.name}: keep_layers names layer {bad[0]}, the weights hold {len(layers)}, "
            f"numbered from 0\n    -> name layers up to {len(layers) - 1}"
        )
    setattr(holder, name, nn.ModuleList(layers[number] for number in spec.keep_layers))
    _renumber(getattr(holder, name))
    config = model.config
    config.num_hidden_layers = len(spec.keep_layers)
    if getattr(config, "layer_types", None) is not None:
        config.layer_types = [config.layer_types[number] for number in spec.keep_layers]


def _renumber(layers: nn.ModuleList) -> None:
    """Renumber the layers: attention finds its keys and values in the cache by the number of its layer."""
    for number, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                vars(module)["layer_idx"] = number
