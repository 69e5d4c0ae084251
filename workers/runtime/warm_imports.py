"""The imports of the warm template. None of them may start CUDA: a process that is forked afterwards cannot
use a GPU, and the template would keep half a gigabyte of the device.

bitsandbytes, which peft imports where it is installed, asks for the compute capability of every GPU, which
torch answers by starting CUDA. The driver's management library knows it as well.

They are most of what a short attempt costs, so they import no more than they have to.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.contracts.generated import generator_digest
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.contracts.hidden import hidden

WARM = ("workers.trial", "workers.runtime.failures")
# What scikit-learn and accelerate import wherever it is installed, for parts of them that no attempt uses.
UNUSED = ("pandas", "boto3")
# What transformers imports as well, to find objects in pictures. Metrics need both.
UNUSED_BY_MODELS = ("scipy", "sklearn")


def import_warm(modules: Sequence[str] = WARM) -> bool:
    """Import the libraries and `modules`. Return whether an attempt can be forked from here; otherwise it has
    to start Python itself."""
    with economical_imports(), _capability_from_driver():
        import_models()
        for module in modules:
            importlib.import_module(module)
    return not (_refuses_cuda_in_a_fork() or _holds_a_context())


def import_models() -> None:
    """Import the libraries that adapted models are made of."""
    with imports_of_models():
        importlib.import_module("peft")
        importlib.import_module("accelerate")


@contextmanager
def imports_of_models() -> Iterator[None]:
    """Import also without what is `UNUSED_BY_MODELS`, and let transformers read its folders once: together an
    eighth of the CPU time of all imports."""
    with economical_imports(), hidden(*UNUSED_BY_MODELS):
        importlib.import_module("transformers")
        with _architectures_read_once():
            yield


@contextmanager
def economical_imports() -> Iterator[None]:
    """Import without the garbage collector, which finds next to nothing in new modules, and without what is
    `UNUSED`: together a quarter of the CPU time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        with hidden(*UNUSED):
            yield
    finally:
        if collects:
            gc.enable()


def leave_out_bitsandbytes() -> None:
    """Hide bitsandbytes where torch is built without CUDA. Nothing can be quantised there, and peft would
    import it all the same: a fifth of the CPU time of all imports."""
    with economical_imports():
        import torch

    if torch.version.cuda is None:
        sys.modules["bitsandbytes"] = None  # type: ignore[assignment]  # to Python, a module that is not there


def fill_caches() -> None:
    """Compute once what each forked attempt would compute for itself, half a second each time: the digest of
    the code that makes data, and the table by which transformers renames weights. No result depends on it."""
    generator_digest()
    with suppress(ImportError):  # the table is an inner part of transformers, which may move
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping

        get_checkpoint_conversion_mapping("bert")


@contextmanager
def _architectures_read_once() -> Iterator[None]:
    """Let transformers know the folder of its 500 architectures again. It has read all their files when it
    was imported; now it asks for the same by a file of that folder, and would read them once more."""
    from transformers.utils import import_utils

    of_library: Any = getattr(import_utils, "create_import_structure_from_path", None)

    def known(place: str | Path) -> Any:
        return of_library(Path(place).parent if Path(place).is_file() else place)

    if of_library is not None:  # it is an inner part of transformers, which may move
        import_utils.create_import_structure_from_path = known
    try:
        yield
    finally:
        if of_library is not None:
            import_utils.create_import_structure_from_path = of_library


@contextmanager
def _capability_from_driver() -> Iterator[None]:
    import torch

    of_torch: Any = torch.cuda.get_device_capability

    def capability(device: Any = None) -> tuple[int, int]:
        gpus = visible_gpus()
        device = torch.device(device) if isinstance(device, str) else device
        number = getattr(device, "idx", getattr(device, "index", device)) or 0
        listed = gpus[number].capability if isinstance(number, int) and number < len(gpus) else None
        answer: tuple[int, int] = listed or of_torch(device)
        return answer

    torch.cuda.get_device_capability = capability
    try:
        yield
    finally:
        torch.cuda.get_device_capability = of_torch


def _refuses_cuda_in_a_fork() -> bool:
    """Ask torch in a fork whether it refuses CUDA there."""
    import torch

    child = os.fork()
    if child == 0:
        os._exit(int(torch.cuda._is_in_bad_fork()))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def _holds_a_context(descriptors: Path = Path("/proc/self/fd")) -> bool:
    """Return whether some library has started CUDA past torch: it then holds the device of unified memory.
    The management library opens /dev/nvidiactl and /dev/nvidia0, which does no harm."""
    for descriptor in descriptors.iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:  # the descriptor of this listing itself
            continue
        if target.startswith("/dev/nvidia-uvm"):
            return True
    return False
