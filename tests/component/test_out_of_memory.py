"""Too little memory, in the words of the libraries that run out of it."""

from __future__ import annotations

import pytest
import torch

from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from workers.runtime.failures import classify

WORDS = [
    "CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
    "CUDA out of memory. Tried to allocate 2.00 GiB.",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "parallel_for failed: cudaErrorMemoryAllocation: out of memory",
    "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory",
]


@pytest.fixture
def order(lab) -> AttemptOrder:
    return AttemptOrder.model_validate_json(lab.order().read_bytes())


@pytest.mark.parametrize("kind", [RuntimeError, torch.AcceleratorError])
@pytest.mark.parametrize("words", WORDS)
def test_what_libraries_say_of_too_little_memory_asks_for_smaller_passes(order, kind, words):
    failure = classify(kind(f"{words} the patient said"), Phase.TRAIN, order)
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert "patient" not in failure.model_dump_json()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("x"), MemoryError()])
def test_errors_with_a_class_of_their_own_need_no_words(order, error):
    assert classify(error, Phase.TRAIN, order).kind is FailureKind.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED"),
        ValueError("CUDA error: out of memory"),  # the runtime raises no such thing
    ],
)
def test_other_errors_of_the_device_stay_bugs(order, error):
    assert classify(error, Phase.TRAIN, order).kind is FailureKind.BUG


def test_the_state_of_the_optimiser_is_named_where_it_does_not_fit(order, monkeypatch):
    """At the first step, on weights whose gradients did fit."""
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.ones(3)
    optimiser = torch.optim.AdamW([weight], fused=True)

    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(torch, "zeros_like", fail)
    with pytest.raises(torch.OutOfMemoryError) as raised:
        optimiser.step()
    failure = classify(raised.value, Phase.TRAIN, order)
    assert failure.lacks_state
    assert not failure.asks_for_less
    assert "out of memory for the optimiser's state" in failure.message
