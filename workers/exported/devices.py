"""Put an exported model on the device that is there, in the number formats of its trial where it has them."""

from __future__ import annotations

from pathlib import Path

import torch

from orchestrator.contracts.cores import usable_cores
from orchestrator.contracts.exported import Exported
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Precision
from workers.exported.answers import Answerer
from workers.exported.models import answering
from workers.runtime.devices import set_up_devices

_NO_GRADIENTS = 1.0


def ready(folder: str, exported: Exported, cache_dir: str, *, threads: int | None) -> Answerer:
    """Return the model of an export, ready for texts, on a GPU where there is one. `threads` on the CPU,
    None: all cores. A GPU's precision becomes fp32 on cores. Raises WeightsError, InputError, LaunchError."""
    gpu = torch.cuda.is_available()
    wanted = exported.use.precision
    if not gpu and exported.device_type != CPU:
        wanted = Precision.FP32
    cores = threads or usable_cores()
    accelerator, _ = set_up_devices(
        Resources(cpus=cores, gpus=1 if gpu else 0),
        wanted.value,
        _NO_GRADIENTS,
        deterministic=exported.deterministic,
    )
    use = exported.use.model_copy(update={"precision": wanted})
    device = accelerator.device if gpu else None
    model, tokenizer = answering(use, Path(folder), exported.layout, Path(cache_dir), device)
    if wanted is not Precision.FP32:
        model = accelerator.prepare_model(model, evaluation_mode=True)
    return Answerer(model, tokenizer, use, accelerator.device)
