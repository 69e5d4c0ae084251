"""Resume checkpoints: all that an attempt needs to go on as if it had never stopped.

What lies in one is shown in `workers.checkpoint_writer`, which writes them.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from orchestrator.contracts import layout
from orchestrator.contracts.metrics import Metrics
from orchestrator.contracts.outcome import PhaseSeconds
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.trial import Resources
from orchestrator.contracts.vocabulary import Phase
from workers.distributed.ranks import Ranks
from workers.distributed.sharding import (
    ShardedState,
    fill_parameter,
    full_value,
    load_sharded_state,
    sharding_layout,
)
from workers.learning_curve import Scored
from workers.methods import Adapted

_DAMAGE = (
    OSError,
    ValidationError,
    SafetensorError,
    RuntimeError,
    EOFError,
    pickle.PickleError,
    zipfile.BadZipFile,
)
Weights = dict[str, Tensor]


@dataclass
class Progress:
    """How far an attempt came. `phases` are the seconds up to here, inherited ones included."""

    fingerprint: str
    step: int = 0  # optimiser steps
    train_seconds: float = 0.0  # of the phase of training, over all attempts
    tokens: int = 0  # real ones, padding left out
    best_step: int | None = None
    best_quality: float | None = None  # None also where the metric is missing at the best step
    best_metrics: Metrics = field(default_factory=dict)
    curve: list[Scored] = field(default_factory=list)  # all evaluations of dev
    phases: PhaseSeconds = field(default_factory=dict)
    work: dict[Phase, PhaseWork] = field(default_factory=dict)  # done in `phases`


_PROGRESS = TypeAdapter(Progress)


class UnfaithfulCopyError(Exception):
    """What was written is not what was trained, or answers differently. Its text is ours."""


class UnreadableCheckpointError(Exception):
    """A checkpoint that is damaged, or belongs to another trial."""


def trained_weights(model: Any) -> Weights:
    """The weights that train, by name; not copied. With spread weights these are a rank's parts."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def clone_weights(weights: Weights, *, pin: bool = False) -> Weights:
    """Whole ones, on the CPU. Where weights are spread, all ranks have to ask for it. `pin`: as `on_host`."""
    return {name: on_host(full_value(value), pin=pin).contiguous() for name, value in weights.items()}


def on_host(value: Tensor, *, pin: bool) -> Tensor:
    """Return a copy on the CPU; with `pin` in pinned memory, where it is complete once the device is idle."""
    return torch.empty_like(value, device="cpu", pin_memory=pin).copy_(value.detach(), non_blocking=pin)


def load_trained_weights(model: Any, weights: Weights) -> None:
    """Raises UnreadableCheckpointError unless `weights` are exactly those that train."""
    own = trained_weights(model)
    if own.keys() != weights.keys() or any(full_shape(own[n]) != weights[n].shape for n in own):
        raise UnreadableCheckpointError("its weights are not those that this trial trains")
    for name, value in own.items():
        fill_parameter(value, weights[name])


def full_shape(parameter: Tensor) -> torch.Size:
    """Also of one that is spread, of which this rank holds a part."""
    shape: torch.Size = getattr(parameter, "ds_shape", parameter.shape)
    return shape


def saved(directory: Path) -> list[Path]:
    """Return the complete checkpoints below `directory`, oldest first."""
    return [path for _, path in layout.checkpoints(directory)]


class Checkpoint:
    """A checkpoint read into memory. Raises UnreadableCheckpointError if it is damaged or another trial's, or
    its optimiser is shared out in another way than that of `resources`."""

    def __init__(self, place: Path, fingerprint: str, resources: Resources | None = None) -> None:
        best = place / "best.safetensors"
        try:
            self.progress = _PROGRESS.validate_json((place / "progress.json").read_bytes())
            self.weights = load_file(place / "weights.safetensors")
            self.best = load_file(best) if self.progress.best_step is not None else None
            _check_sums(place / "state.pt")
            self._state = torch.load(place / "state.pt", weights_only=True, map_location="cpu")
        except _DAMAGE as damage:
            raise UnreadableCheckpointError(f"{place} is damaged ({type(damage).__name__})") from damage
        if self.progress.fingerprint != fingerprint:
            raise UnreadableCheckpointError(f"{place} belongs to another trial")
        if self._state["sharing"] != sharding_layout(resources or Resources()):
            raise UnreadableCheckpointError(f"{place} is of an optimiser that was shared out in another way")

    def restore(self, adapted: Adapted, optimiser: torch.optim.Optimizer, ranks: Ranks) -> Weights | None:
        """Puts weights, optimiser, the method's memory and random number generators where they were; gives
        the best weights. `restore_shares` comes when the optimiser is prepared."""
        load_trained_weights(adapted.model, self.weights)
        if self._state["sharing"] == "none":
            optimiser.load_state_dict(self._state["optimiser"])
        adapted.load_extra_state(self._state["method"])
        if ranks.rank < len(self._state["random"]):  # one more than there were then draws its own
            _set_random_state(self._state["random"][ranks.rank])
        return self.best

    def restore_sharded_state(self, model: Any, optimiser: Any, ranks: Ranks) -> None:
        """The optimiser's state, where it is shared out, and that of the scaler of its loss. All ranks come
        here."""
        if (scaler := self._state.get("scaler")) is not None:
            optimiser.scaler.load_state_dict(scaler)
        if self._state["sharing"] != "none":
            parts = self._state["parts"]
            own = None if parts is None else parts[ranks.rank]
            load_sharded_state(
                model, optimiser, ShardedState(self._state["sharing"], self._state["optimiser"], own)
            )


def _check_sums(archive: Path) -> None:
    """torch writes checksums, and reads a damaged archive without looking at them."""
    with zipfile.ZipFile(archive) as opened:
        if (bad := opened.testzip()) is not None:
            raise zipfile.BadZipFile(bad)


def _uses_gpu() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def random_state() -> dict[str, Any]:
    """State of the generators of this rank: of the CPU, and of its GPU where it uses one."""
    cuda = torch.cuda.get_rng_state() if _uses_gpu() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and _uses_gpu():
        torch.cuda.set_rng_state(state["cuda"])
