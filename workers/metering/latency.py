"""Measure the serving cost of the finished model: latency of one request, and throughput in batches."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from orchestrator.contracts.outcome import Serving
from workers.batches import collate
from workers.tasks import Encoded

_SECONDS, _SHARE = 0.4, 0.02  # timed at each batch size at most, and as a share of the trial so far
_LEAST, _MOST = 3, 200  # batches that are timed in any case
_WARM_UP = 3  # untimed batches: the first ones of a shape allocate its memory, and clocks rise


def measure(
    model: Any,
    data: Encoded,
    batch_size: int,
    pad: int,
    trial_seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Serving, ...]:
    """Measure at batch size 1 and at `batch_size`, over the examples in their order; return nothing without
    examples. `trial_seconds`: what the trial has taken so far, of which timing takes a small share.

    The time covers the encoded example to its logits on the host: padding, transfer, forward pass. It
    excludes tokenising, and adapters are not merged into the weights. Leaves the model in evaluation mode.
    """
    if not len(data):
        return ()
    model.eval()
    sizes = sorted({1, min(batch_size, len(data))})
    with torch.inference_mode():
        limit = min(_SECONDS, _SHARE * trial_seconds)
        return tuple(_serve(model, data, size, pad, limit, clock) for size in sizes)


def _serve(
    model: Any, data: Encoded, size: int, pad: int, limit: float, clock: Callable[[], float]
) -> Serving:
    device = next(model.parameters()).device
    seconds: list[float] = []
    for index, batch in enumerate(_requests(len(data), size)):
        began = clock()
        inputs, _ = collate(data, batch, pad, device)
        model(**inputs).logits.float().cpu()  # waits for the device
        if index >= _WARM_UP:
            seconds.append(clock() - began)
        if len(seconds) >= _LEAST and (sum(seconds) >= limit or len(seconds) >= _MOST):
            break
    return Serving(
        batch_size=size,
        examples_per_second=size * len(seconds) / sum(seconds),
        latency_seconds=statistics.median(seconds),
        batches=len(seconds),
    )


def _requests(examples: int, size: int) -> Iterator[list[int]]:
    """Yield batches of example indices endlessly, starting over at the end."""
    endless = itertools.cycle(range(examples))
    while True:
        yield list(itertools.islice(endless, size))
