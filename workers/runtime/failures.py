"""Turn any exception into a failure kind and a message that cannot hold patient text.

The text of a foreign exception is never written down, because a library may quote its input. The one
exception is what GPU libraries report while they start, before any data is read.
"""

from __future__ import annotations

from itertools import pairwise

import torch

from orchestrator.contracts.code_places import code_places
from orchestrator.contracts.no_room import no_room, no_room_message
from orchestrator.contracts.outcome import Failure
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.errors import FrontierError
from workers.checkpoint import UnfaithfulCopyError
from workers.evaluate import DivergedError
from workers.runtime.gpus import DeviceFaultError, this_machine
from workers.train import CollapsedError, PreemptedError, SupersededError

_NEEDS_LESS = (
    "a smaller micro_batch_size, evaluation_batch_size or max_length needs less, as does a smaller model"
)
_NO_STATE = (
    "out of memory for the optimiser's state, which smaller passes do not make smaller\n"
    "    -> choose a method that trains fewer weights, a larger device, or resources.sharding over several"
)
# Messages for which torch has no class. Libraries that bypass torch's allocator raise a RuntimeError (or
# torch.AcceleratorError, which is one), and so does torch's own allocator on the CPU.
_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUDA out of memory",
    "cudaErrorMemoryAllocation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",  # cuDNN 9's message, for the device and for the host
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "CUSPARSE_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator",
)
# What the CUDA runtime reports for a GPU that is broken, gone or unavailable (cudaError_t). Errors of a
# program, such as an illegal address, are not listed.
_DEVICE_FAULTS = (
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error",
    "unspecified launch failure",
    "hardware stack error",
    "or a hardware error",
    "CUDA-capable device(s) is/are busy or unavailable",
    "no CUDA-capable device is detected",
    "No CUDA GPUs are available",
    "Found no NVIDIA driver",
    "NVIDIA driver on your system is too old",
    "CUDA driver version is insufficient",
    "unsupported display driver / cuda driver combination",
    "system not yet initialized",
    "MPS client failed to connect",
    "no kernel image is available",
    "device kernel image is invalid",
    "invalid device ordinal",
    "CUDA error: initialization error",
    "CUDA error: unknown error",
    "CUDA unknown error",
)
_LIBRARIES_OF_GPUS = ("CUDA", "cuda", "NVIDIA", "NCCL", "NVML")
_LONGEST_LINE = 300
_NO_SUCH_KERNEL = "does not have a deterministic implementation"
_USE_OTHER_KERNELS = (
    "an operation of this model has no deterministic kernel on a GPU\n"
    "    -> set deterministic: false, or leave the model out"
)


def all_agree(error: BaseException) -> bool:
    """Return whether all ranks of an attempt raise this error at the same step."""
    return isinstance(error, PreemptedError | DivergedError | CollapsedError)


def classify(error: BaseException, phase: Phase, order: AttemptOrder) -> Failure:
    """Return the failure of an attempt at `order` that ended in `error` during `phase`."""
    if (stopped := _stopped(error)) is not None:
        return Failure(kind=stopped[0], phase=phase, message=stopped[1])
    if _out_of_memory(error):
        kind = FailureKind.OUT_OF_MEMORY
        message = f"out of memory {order.passes_tried(phase)}\n    -> {_NEEDS_LESS}"
    elif device_message := _device_fault(error):
        kind, message = FailureKind.DEVICE, device_message
    elif isinstance(error, UnfaithfulCopyError):
        return Failure(kind=FailureKind.BUG, phase=phase, message=str(error))
    elif isinstance(error, FrontierError):
        return Failure(kind=FailureKind.BAD_INPUT, phase=phase, message=str(error))
    elif (number := no_room(error)) is not None:
        kind, message = FailureKind.BAD_INPUT, no_room_message(number)
    elif isinstance(error, RuntimeError) and _NO_SUCH_KERNEL in str(error):
        kind, message = FailureKind.BAD_INPUT, _USE_OTHER_KERNELS
    else:
        parts = [type(error).__qualname__, *_words_of_start(error, phase)]
        kind, message = FailureKind.BUG, ": ".join(parts)
    machine = this_machine() if kind is FailureKind.DEVICE else None
    failure = Failure(kind=kind, phase=phase, message=message, places=code_places(error), machine=machine)
    return failure.model_copy(update={"message": _NO_STATE}) if failure.lacks_state else failure


def _stopped(error: BaseException) -> tuple[FailureKind, str] | None:
    """Return kind and message where the attempt ended itself, else None."""
    if isinstance(error, SupersededError):
        return FailureKind.PREEMPTED, "taken for lost by the driver, which began another attempt"
    if isinstance(error, PreemptedError):
        return FailureKind.PREEMPTED, "asked to stop (SIGTERM)"
    if isinstance(error, DivergedError):
        return FailureKind.DIVERGED, "the loss is not finite; a smaller learning_rate usually helps"
    if isinstance(error, CollapsedError):
        message = (
            "it gives one answer to everything (stop_collapsed, after collapse_grace)\n"
            "    -> a lower learning_rate or a larger warmup_ratio usually helps"
        )
        return FailureKind.COLLAPSED, message
    return None


def _device_fault(error: BaseException) -> str | None:
    """Return the message for a GPU that failed: our own, or the listed phrase that the error contains."""
    if isinstance(error, DeviceFaultError):
        return str(error)
    if not isinstance(error, RuntimeError | torch.cuda.DeferredCudaCallError):
        return None
    phrase = next((phrase for phrase in _DEVICE_FAULTS if phrase in str(error)), None)
    return None if phrase is None else f"the GPU failed: {phrase}"


def _words_of_start(error: BaseException, phase: Phase) -> list[str]:
    """Return the first line of what a GPU library reports while it starts, and NCCL's last error. No data has
    been read by then, and the user cannot fix the machine without this text."""
    lines = str(error).splitlines()
    if phase is not Phase.START or not isinstance(error, RuntimeError) or not lines:
        return []
    if not any(name in lines[0] for name in _LIBRARIES_OF_GPUS):
        return []
    nccl_errors = [line for before, line in pairwise(lines) if before.startswith("Last error")]
    return [line.strip()[:_LONGEST_LINE] for line in (lines[0], *nccl_errors)]


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _OUT_OF_MEMORY)
