"""Writing checkpoints from a thread, so that the device computes on meanwhile.

    checkpoint/step-<n>/  weights.safetensors     the trained weights
                          best.safetensors        the same at the best evaluation so far
                          state.pt                optimiser, extra state of the method, random generators
                          progress.json           step, scores, what was spent

A directory appears by rename: it is complete or absent. Names that end in .tmp are leftovers.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils._pytree import tree_map

from orchestrator.contracts import layout
from workers.checkpoint import (
    TrainProgress,
    UnfaithfulCopyError,
    Weights,
    clone_weights,
    full_shape,
    on_host,
    random_state,
    saved,
    trained_weights,
)
from workers.distributed.ranks import Ranks
from workers.distributed.sharding import ShardedState
from workers.methods import Adapted

_SHARE = 20  # times what the last checkpoint took, until the next one: 5 % of the time goes into them
# Pinned memory is copied to several times as fast, but torch rounds it up to powers of two and keeps it until
# the process ends. Of trained weights beyond this many bytes it is not asked for.
_PINNED_BYTES = 2**29
_PROGRESS = TypeAdapter(TrainProgress)


@dataclass(frozen=True, repr=False)
class Snapshot:
    """The content of a checkpoint: copies on the host, which training does not change."""

    step: int
    shapes: dict[str, torch.Size]  # of all weights that train
    weights: Weights
    best: Weights | None
    state: dict[str, Any]
    progress: bytes


def snapshot(
    adapted: Adapted, sharded: ShardedState, best: Weights | None, progress: TrainProgress, ranks: Ranks
) -> Snapshot | None:
    """Copy what a checkpoint holds. All ranks have to call this; the first one gets the snapshot."""
    own = trained_weights(adapted.model)
    pin = (
        any(value.is_cuda for value in own.values()) and sum(v.nbytes for v in own.values()) <= _PINNED_BYTES
    )
    weights = clone_weights(own, pin=pin)
    random = ranks.gather(random_state())
    parts = None if sharded.own is None else ranks.gather(sharded.own)
    if not ranks.leads:
        return None
    state = {"sharing": sharded.sharing, "optimiser": sharded.full, "parts": parts, "scaler": sharded.scaler}
    state = tree_map(lambda value: on_host(value, pin=pin) if isinstance(value, Tensor) else value, state)
    if pin:
        torch.cuda.synchronize()
    return Snapshot(
        step=progress.step,
        shapes={name: full_shape(value) for name, value in own.items()},
        weights=weights,
        best=best,
        state=state | {"method": adapted.extra_state(), "random": random},
        progress=_PROGRESS.dump_json(progress),
    )


def write(directory: Path, taken: Snapshot) -> None:
    """Write `directory/step-<n>` and drop all but the newest two.

    Raises UnfaithfulCopyError where what was written is not what trains, OSError or an error with one as its
    context where there is no room. The older ones then stay, and nothing of the new one does: a disk that it
    filled has to take the records of the failure.
    """
    target = directory / layout.checkpoint_name(taken.step)
    draft = target.with_name(target.name + ".tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        _fill(draft, taken)
        _prove(draft, taken)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _flush(directory)
    for old in saved(directory)[: -layout.KEPT_CHECKPOINTS]:
        shutil.rmtree(old)


def _fill(draft: Path, taken: Snapshot) -> None:
    save_file(taken.weights, draft / "weights.safetensors")
    if taken.best is not None:
        save_file(taken.best, draft / "best.safetensors")
    with (draft / "state.pt").open("wb") as file:  # given a path, torch does not say why a write failed
        torch.save(taken.state, file)
    (draft / "progress.json").write_bytes(taken.progress)
    for path in draft.iterdir():
        _flush(path)


class CheckpointWriter:
    """Writes checkpoints below `directory`, one at a time. `clock` gives seconds; `on_written` is called in
    the thread with the step of each checkpoint that is complete.

    Leaving its `with` block waits for the checkpoint that is being written.
    """

    def __init__(
        self,
        directory: Path,
        least_seconds: float,
        clock: Callable[[], float],
        on_written: Callable[[int], None],
    ) -> None:
        self._directory, self._least_seconds = directory, least_seconds
        self._clock, self._on_written = clock, on_written
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[float] | None = None  # gives the seconds that the checkpoint took
        self._since = clock()

    def waited(self) -> float:
        """Return the part of the time between two checkpoints that has passed: 1 or more when the next one is
        due.

        The time is `least_seconds`, or 20 times what the last checkpoint took, copying and writing, where
        that is longer. 0 while one is being written; infinite where that failed: `save` raises the error.
        """
        took = 0.0
        if self._writing is not None:
            if not self._writing.done():
                return 0.0
            if self._writing.exception() is not None:
                return math.inf
            took = self._writing.result()
        wait = max(self._least_seconds, _SHARE * took)
        return (self._clock() - self._since) / wait if wait else math.inf

    def save(
        self,
        adapted: Adapted,
        sharded: ShardedState,
        best: Weights | None,
        progress: TrainProgress,
        ranks: Ranks,
    ) -> None:
        """Copy what a checkpoint holds, and write it while training continues. All ranks have to call this;
        the first one writes. Raises what `wait` does."""
        self.wait()
        began = self._clock()
        taken = snapshot(adapted, sharded, best, progress, ranks)
        if taken is not None:
            self._writing = self._thread.submit(self._write, taken, began)
        self._since = self._clock()

    def _write(self, taken: Snapshot, began: float) -> float:
        write(self._directory, taken)
        self._on_written(taken.step)
        return self._clock() - began

    def wait(self) -> None:
        """Return when the last checkpoint is written. Raises what writing it raised."""
        if self._writing is not None:
            self._writing.result()

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, places: TracebackType | None
    ) -> None:
        self._thread.shutdown()


def _prove(draft: Path, taken: Snapshot) -> None:
    """Read the weights back and compare every bit with those in memory. The optimiser's state, which is
    larger and rebuilt by our own code, is checked when a trial resumes from it."""
    for name, given in (("weights", taken.weights), ("best", taken.best or {})):
        if given and not _is_as_written(draft / f"{name}.safetensors", given, taken.shapes):
            raise UnfaithfulCopyError(f"{draft.stem}: {name}.safetensors does not hold what trains")


def _is_as_written(file: Path, given: Weights, shapes: dict[str, torch.Size]) -> bool:
    if given.keys() != shapes.keys():
        return False
    with safe_open(file, framework="pt") as written:
        return set(written.keys()) == shapes.keys() and all(
            value.shape == shapes[name] and same_bits(written.get_tensor(name), value)
            for name, value in given.items()
        )


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Return whether both are the same to the last bit, shape and type included. NaN is NaN."""
    same_kind = left.dtype == right.dtype and left.shape == right.shape
    return same_kind and torch.equal(_bits(left), _bits(right))


def _bits(value: Tensor) -> Tensor:
    """Return the bits as 64-bit integers where possible: three times as fast to compare as bytes."""
    wide = value.numel() * value.element_size() % 8 == 0
    return value.reshape(-1).view(torch.int64 if wide else torch.uint8)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
