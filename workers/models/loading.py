"""Load the weights of a folder into a model: those of the backbone, and nothing else that the folder holds.

By default transformers would take over a trained head, attach an adapter stored beside the weights and freeze
the rest, or follow an index to other formats. So we pass it the tensors by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.weights_folder import WeightsFolder
from orchestrator.errors import WeightsError
from workers.methods.targets import Names


def load(
    spec: BackboneSpec, kind: Any, config: Any, folder: WeightsFolder, heads: Names, **options: Any
) -> tuple[Any, set[str]]:
    """Return a model of class `kind`, and the names of its weights that were drawn from torch's global
    generator: those that the folder lacks, and those of the `heads` in any case.

    Raises WeightsError if tensors have other shapes than `config` says, and what `from_pretrained` raises.
    """
    with ExitStack() as files:
        tensors: dict[str, Any] = {}
        for path in folder.files:
            opened = files.enter_context(safe_open(path, framework="pt"))
            names = [name for name in opened.keys() if name.partition(".")[0] not in heads]  # noqa: SIM118
            tensors |= {name: opened.get_slice(name) for name in names}
        model, loading = kind.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    model.name_or_path = model.config.name_or_path = str(folder.directory)
    for name, shape, expected in sorted(loading["mismatched_keys"]):
        raise WeightsError(
            f"backbone {spec.name}: {name} in {folder.directory} has shape {_shape(shape)}, expected "
            f"{_shape(expected)} by its config.json\n    -> use config.json and weights of one model"
        )
    drawn = {name for name, _ in model.named_parameters() if name.partition(".")[0] in heads}
    assert drawn <= loading["missing_keys"], "a head was not drawn"
    return model, loading["missing_keys"]


def freeze_as(model: nn.Module, blank: nn.Module) -> None:
    """Freeze what the class of the model freezes, as in `blank`, which has no weights: RoFormer's sines and
    cosines. Loading creates new parameters, which would train."""
    frozen = {name for name, parameter in blank.named_parameters() if not parameter.requires_grad}
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad = False


def check_finite(spec: BackboneSpec, folder: WeightsFolder, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Raise WeightsError if a weight is NaN or infinite: no learning rate gets a finite loss from it."""
    bad = {name: count for name, value in weights if (count := _not_finite(value))}
    if not bad:
        return
    first = min(bad)
    others = len(bad) - 1
    more = f" and in {others:,} more {'tensor' if others == 1 else 'tensors'}" if others else ""
    raise WeightsError(
        f"backbone {spec.name}: {bad[first][0]:,} of {bad[first][1]:,} weights in {first}{more} are not "
        f"finite (in {folder.directory})\n    -> fetch or make the weights again"
    )


def stored(folder: WeightsFolder) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of the folder as stored, one at a time."""
    for path in folder.files:
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                yield name, opened.get_tensor(name)


def _not_finite(value: Tensor) -> tuple[int, int] | None:
    """Return how many of how many weights are not finite. The minimum and maximum show in one pass, which
    keeps nothing, whether there are any."""
    if not value.is_floating_point() or not value.numel():
        return None
    if all(torch.isfinite(end) for end in torch.aminmax(value.detach())):
        return None
    return int((~torch.isfinite(value)).sum()), value.numel()


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "()"
