"""Inject faults into an attempt through torch, at the pass or moment that a check chooses."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

_PATIENCE = 60.0  # seconds until a checkpoint is on disk


@contextmanager
def before_each_pass(act: Callable[[Tensor, int], Tensor | None]) -> Iterator[None]:
    """Call `act` with the token ids and the number (from 1) of every training pass, before its embedding. Its
    result replaces the ids."""
    embedding: Any = nn.Embedding
    forward = embedding.forward
    passes = 0

    def patched(self: nn.Embedding, ids: Tensor) -> Tensor:
        nonlocal passes
        # The first embedding of a model is its word embedding, which has the most rows.
        if ids.ndim == 2 and self.training and torch.is_grad_enabled() and self.num_embeddings > 600:
            passes += 1
            replacement = act(ids, passes)
            ids = ids if replacement is None else replacement
        answer: Tensor = forward(self, ids)
        return answer

    embedding.forward = patched
    try:
        yield
    finally:
        embedding.forward = forward


@contextmanager
def after_each_step(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` after each call of an optimiser step."""
    optimiser: Any = torch.optim.AdamW
    step = optimiser.step

    def patched(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = step(self, *arguments, **options)
        act()
        return answer

    optimiser.step = patched
    try:
        yield
    finally:
        optimiser.step = step


@contextmanager
def too_little_memory(examples: int) -> Iterator[None]:
    """Make passes of more than `examples` run out of memory."""

    def act(ids: Tensor, _: int) -> None:
        if len(ids) > examples:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with before_each_pass(act):
        yield


@contextmanager
def killed_after_a_checkpoint(trial: Path, passes: int) -> Iterator[None]:
    """In the first attempt of the trial, send SIGKILL at the first pass from `passes` on that follows a
    checkpoint."""

    def act(_: Tensor, number: int) -> None:
        if number < passes or len(list(trial.glob("attempt-*"))) > 1:
            return
        deadline = time.monotonic() + _PATIENCE
        while not any(path.suffix == "" for path in trial.glob("attempt-001/checkpoint/step-*")):
            if time.monotonic() > deadline:
                raise TimeoutError("no checkpoint was written")
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    with before_each_pass(act):
        yield


@contextmanager
def broken_index(trial: Path, at: int, on_gpu: bool) -> Iterator[None]:
    """In the first attempt of the trial, put an index out of range on the device in pass `at`. Without a GPU,
    raise an error like the device's, after which no value can be read from a tensor."""

    def act(ids: Tensor, number: int) -> Tensor | None:
        if number != at or len(list(trial.glob("attempt-*"))) > 1:
            return None
        if on_gpu:
            return ids + 10**6

        def poisoned(*_: Any) -> NoReturn:
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")

        tensor: Any = Tensor
        tensor.item = poisoned
        return poisoned()

    with before_each_pass(act):
        yield
