"""Resume checkpoints: all that an attempt needs to resume exactly where it stopped.

`workers.checkpoint_writer` writes them, and lists their files.
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
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Phase
from workers.distributed.ranks import Ranks
from workers.distributed.sharding import (
    ShardedState,
    fill_parameter,
    full_value,
    load_sharded_state,
    sharding_layout,
)
from workers.learning_curve import DevScore
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
class TrainProgress:
    """How far an attempt came. `phases` are the seconds up to here, inherited ones included."""

    fingerprint: str
    step: int = 0  # optimiser steps
    train_seconds: float = 0.0  # of the phase of training, over all attempts
    tokens: int = 0  # real ones, padding left out
    best_step: int | None = None
    best_quality: float | None = None  # None also where the metric is missing at the best step
    best_metrics: Metrics = field(default_factory=dict)
    best_threshold: float | None = None  # of multilabel tasks, at the best step
    curve: list[DevScore] = field(default_factory=list)  # all evaluations of dev
    phases: PhaseSeconds = field(default_factory=dict)
    work: dict[Phase, PhaseWork] = field(default_factory=dict)  # done in `phases`


_PROGRESS = TypeAdapter(TrainProgress)


class UnfaithfulCopyError(Exception):
    """The weights on disk differ from the trained ones. The message is our own."""


class UnreadableCheckpointError(Exception):
    """A checkpoint that is damaged, or belongs to another trial."""


def trained_weights(model: Any) -> Weights:
    """Return the weights that train, by name; not copied. In a sharded model these are the rank's parts."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def clone_weights(weights: Weights, *, pin: bool = False) -> Weights:
    """Return full copies on the CPU. In a sharded model all ranks have to call this. `pin`: see `on_host`."""
    return {name: on_host(full_value(value), pin=pin).contiguous() for name, value in weights.items()}


def on_host(value: Tensor, *, pin: bool) -> Tensor:
    """Return a copy on the CPU; with `pin` in pinned memory, where it is complete once the device is idle."""
    return torch.empty_like(value, device="cpu", pin_memory=pin).copy_(value.detach(), non_blocking=pin)


def load_trained_weights(model: Any, weights: Weights) -> None:
    """Load `weights` into the model. Raises UnreadableCheckpointError unless they are exactly those that
    train."""
    own = trained_weights(model)
    if own.keys() != weights.keys() or any(full_shape(own[n]) != weights[n].shape for n in own):
        raise UnreadableCheckpointError("its weights are not those that this trial trains")
    for name, value in own.items():
        fill_parameter(value, weights[name])


def full_shape(parameter: Tensor) -> torch.Size:
    """Return the full shape, also of a sharded parameter."""
    shape: torch.Size = getattr(parameter, "ds_shape", parameter.shape)
    return shape


def saved(directory: Path) -> list[Path]:
    """Return the complete checkpoints below `directory`, oldest first."""
    return [path for _, path in layout.checkpoints(directory)]


class Checkpoint:
    """A checkpoint read into memory. Raises UnreadableCheckpointError if it is damaged or another trial's, or
    its optimiser is sharded in another way than that of `resources`."""

    def __init__(self, path: Path, fingerprint: str, resources: Resources | None = None) -> None:
        best = path / "best.safetensors"
        try:
            self.progress = _PROGRESS.validate_json((path / "progress.json").read_bytes())
            self.weights = load_file(path / "weights.safetensors")
            self.best = load_file(best) if self.progress.best_step is not None else None
            _check_sums(path / "state.pt")
            self._state = torch.load(path / "state.pt", weights_only=True, map_location="cpu")
        except _DAMAGE as damage:
            raise UnreadableCheckpointError(f"{path} is damaged ({type(damage).__name__})") from damage
        if self.progress.fingerprint != fingerprint:
            raise UnreadableCheckpointError(f"{path} belongs to another trial")
        if self._state["sharing"] != sharding_layout(resources or Resources()):
            raise UnreadableCheckpointError(f"{path} is of an optimiser that was shared out in another way")

    def restore(self, adapted: Adapted, optimiser: torch.optim.Optimizer, ranks: Ranks) -> Weights | None:
        """Restore the weights, the optimiser, the method's extra state and the random number generators;
        return the best weights. Call `restore_sharded_state` once the optimiser is prepared."""
        load_trained_weights(adapted.model, self.weights)
        if self._state["sharing"] == "none":
            optimiser.load_state_dict(self._state["optimiser"])
        adapted.load_extra_state(self._state["method"])
        if ranks.rank < len(self._state["random"]):  # one more than there were then draws its own
            _set_random_state(self._state["random"][ranks.rank])
        return self.best

    def restore_sharded_state(self, model: Any, optimiser: Any, ranks: Ranks) -> None:
        """Restore the state of a sharded optimiser, and that of its loss scaler. All ranks have to call
        this."""
        if (scaler := self._state.get("scaler")) is not None:
            optimiser.scaler.load_state_dict(scaler)
        if self._state["sharing"] != "none":
            parts = self._state["parts"]
            own = None if parts is None else parts[ranks.rank]
            load_sharded_state(
                model, optimiser, ShardedState(self._state["sharing"], self._state["optimiser"], own)
            )


def _check_sums(archive: Path) -> None:
    """Raise BadZipFile where a checksum differs: torch writes checksums, and does not check them."""
    with zipfile.ZipFile(archive) as opened:
        if (bad := opened.testzip()) is not None:
            raise zipfile.BadZipFile(bad)


def _uses_gpu() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def random_state() -> dict[str, Any]:
    """Return the state of this rank's generators: of the CPU, and of its GPU where it uses one."""
    cuda = torch.cuda.get_rng_state() if _uses_gpu() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and _uses_gpu():
        torch.cuda.set_rng_state(state["cuda"])
