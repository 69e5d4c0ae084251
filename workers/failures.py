"""Any exception to a failure kind and words that cannot hold patient text.

The text of a foreign exception is never written down: a library may quote what it was given.
"""

from __future__ import annotations

import torch

from orchestrator.contracts.outcome import Failure
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.errors import FrontierError
from workers.checkpoint import UnfaithfulCopyError
from workers.code_places import code_places
from workers.evaluate import DivergedError
from workers.train import CollapsedError, PreemptedError, SupersededError

_NEEDS_LESS = (
    "a smaller micro_batch_size, evaluation_batch_size or max_length needs less, as does a smaller model"
)
# What is said where torch has no class for it. Libraries that allocate past torch's allocator raise a
# RuntimeError (or torch.AcceleratorError, which is one), and so does torch's own allocator on the CPU.
_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUDA out of memory",
    "cudaErrorMemoryAllocation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",  # as cuDNN 9 has it, of the device and of the host
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "CUSPARSE_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator",
)


def all_agree(error: BaseException) -> bool:
    """Whether all ranks of an attempt end in it at the same step."""
    return isinstance(error, PreemptedError | DivergedError | CollapsedError)


def classify(error: BaseException, phase: Phase, order: AttemptOrder) -> Failure:
    """What to say of an attempt at `order` that ended in `error` during `phase`."""
    if isinstance(error, SupersededError):
        message = "taken for lost by the driver, which began another attempt"
        return Failure(kind=FailureKind.PREEMPTED, phase=phase, message=message)
    if isinstance(error, PreemptedError):
        return Failure(kind=FailureKind.PREEMPTED, phase=phase, message="asked to stop (SIGTERM)")
    if isinstance(error, DivergedError):
        message = "the loss is not finite; a smaller learning_rate usually mends it"
        return Failure(kind=FailureKind.DIVERGED, phase=phase, message=message)
    if isinstance(error, CollapsedError):
        message = (
            "it gives one answer to everything (stop_collapsed, after collapse_grace)\n"
            "    -> a lower learning_rate or a larger warmup_ratio usually mends it"
        )
        return Failure(kind=FailureKind.COLLAPSED, phase=phase, message=message)
    if _out_of_memory(error):
        message = f"out of memory {order.passes_tried}\n    -> {_NEEDS_LESS}"
        return Failure(
            kind=FailureKind.OUT_OF_MEMORY, phase=phase, message=message, places=code_places(error)
        )
    if isinstance(error, UnfaithfulCopyError):
        return Failure(kind=FailureKind.BUG, phase=phase, message=str(error))
    if isinstance(error, FrontierError):
        return Failure(kind=FailureKind.BAD_INPUT, phase=phase, message=str(error))
    return Failure(
        kind=FailureKind.BUG, phase=phase, message=type(error).__qualname__, places=code_places(error)
    )


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _OUT_OF_MEMORY)
