"""How the ranks of an attempt share out a model: an accelerator that does it, and proof that it did.

    none    DistributedDataParallel: every rank holds everything, gradients are averaged
    zero1…3 DeepSpeed: optimiser state, then gradients, then weights are shared out
    fsdp    torch's fully_shard: all of it is

Backends that are asked for in the wrong way fall back to something else without a word, so what was made is
looked at before anything trains.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DeepSpeedPlugin,
    DistributedDataParallelKwargs,
    DistributedType,
    InitProcessGroupKwargs,
)
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from orchestrator.contracts.methods import Settings
from orchestrator.contracts.sharding import SPREADS_WEIGHTS, why_not_shared
from orchestrator.contracts.trial import Resources
from orchestrator.contracts.vocabulary import Precision
from orchestrator.errors import LaunchError

_STAGES = {"zero1": 1, "zero2": 2, "zero3": 3}


def spreads_weights(resources: Resources) -> bool:
    """Whether no rank holds a whole model."""
    return resources.sharding in SPREADS_WEIGHTS


def sharding_software(resources: Resources) -> dict[str, str]:
    return {"deepspeed": version("deepspeed")} if resources.sharding in _STAGES else {}


def refuse_method(settings: Settings, resources: Resources, precision: Precision) -> None:
    """Raises LaunchError where a method cannot train as the resources or the precision say."""
    if problem := settings.unsupported_precision(precision):
        raise LaunchError(
            f"recipe.precision {precision}: unsupported by {settings.kind}, as {problem}\n"
            "    -> set precision: fp32"
        )
    if problem := why_not_shared(settings, resources.sharding):
        raise LaunchError(
            f"resources.sharding {resources.sharding}: {problem}\n"
            "    -> set sharding: none, or leave the method out"
        )


def make_accelerator(resources: Resources, precision: Precision, max_grad_norm: float) -> Accelerator:
    """Its scaler of the loss is for fp16 alone.

    Raises LaunchError where DeepSpeed is asked for and not installed, and for fp16 without a GPU that holds
    the whole model.
    """
    cpu = not resources.gpus
    if precision is Precision.FP16 and (cpu or resources.sharding != "none"):
        got = "no GPU" if cpu else f"resources.sharding {resources.sharding}"
        raise LaunchError(
            f"recipe.precision fp16: expected a GPU that holds the whole model, got {got}\n"
            "    -> set precision: fp32"
        )
    mixed = "no" if precision is Precision.FP32 else precision.value
    options: dict[str, Any] = {"mixed_precision": mixed, "cpu": cpu}
    if resources.sharding in _STAGES:
        _settle_deepspeed(cpu)
        options["deepspeed_plugin"] = DeepSpeedPlugin(
            hf_ds_config=_deepspeed(resources, max_grad_norm), zero3_init_flag=False
        )
        if cpu:  # with `cpu` the plugin would be passed over, and without a backend there would be one rank
            options |= {"cpu": False, "kwargs_handlers": [InitProcessGroupKwargs(backend="gloo")]}
    else:
        options["kwargs_handlers"] = [
            # A trained weight has one gradient, not one of its own and one in a bucket.
            DistributedDataParallelKwargs(
                find_unused_parameters=True, broadcast_buffers=False, gradient_as_bucket_view=True
            )
        ]
    accelerator = Accelerator(**options)
    if resources.sharding == "zero3":
        unset_hf_deepspeed_config()  # else models are built in parts, which nothing can be put on
    return accelerator


def _settle_deepspeed(cpu: bool) -> None:
    if find_spec("deepspeed") is None:
        raise LaunchError(
            "resources.sharding asks for DeepSpeed, which is not installed\n"
            "    -> pip install 'frontier-sweeps[deepspeed]', or use sharding: fsdp"
        )
    if cpu:
        import deepspeed

        # Else it compiles an extension for minutes, and a killed compilation blocks all later ones.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def _deepspeed(resources: Resources, max_grad_norm: float) -> dict[str, Any]:
    """Batches, losses and rates are ours; torch's AdamW stays, as DeepSpeed's own is compiled on the spot."""
    zero: dict[str, Any] = {"stage": _STAGES[resources.sharding]}
    if resources.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
        if resources.sharding == "zero3":
            zero["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": max_grad_norm,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }


def prepare(accelerator: Accelerator, model: Any, optimiser: Any, resources: Resources) -> tuple[Any, Any]:
    """Both as they are to be used in training. Raises LaunchError where that is not what was asked for."""
    if resources.sharding != "fsdp":
        model, optimiser = accelerator.prepare(model, optimiser)
    _prove(accelerator, model, resources)
    return model, optimiser


def _prove(accelerator: Accelerator, model: Any, resources: Resources) -> None:
    if resources.processes == 1 and resources.sharding == "none":
        return
    deepspeed = resources.sharding in _STAGES
    kind = "DEEPSPEED" if deepspeed else "MULTI_GPU" if resources.gpus else "MULTI_CPU"
    engine = {"none": "DistributedDataParallel", "fsdp": "FSDPModule"}.get(
        resources.sharding, "DeepSpeedEngine"
    )
    wanted: list[Any] = [DistributedType[kind].value, resources.processes, engine]
    found: list[Any] = [accelerator.distributed_type.value, accelerator.num_processes, _engine(model)]
    if deepspeed and found[2] == engine:
        wanted.append(_STAGES[resources.sharding])
        found.append(model.zero_optimization_stage())
    if found != wanted:
        raise LaunchError(
            f"resources.sharding {resources.sharding} over {resources.processes} processes was to give "
            f"{wanted}, and gave {found}\n    -> check the versions of accelerate and deepspeed"
        )


def _engine(model: Any) -> str:
    names = [kind.__name__ for kind in type(model).__mro__]
    known = ("DeepSpeedEngine", "DistributedDataParallel", "FSDPModule")
    return next((name for name in known if name in names), names[0])


def sync_gradients(accelerator: Accelerator, model: Any, last: bool) -> AbstractContextManager[None]:
    """Around the forward and backward of one pass of a step: the ranks exchange gradients in the last one."""
    accelerator.sync_gradients = last
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)
        return nullcontext()
    if last or accelerator.distributed_type is DistributedType.DEEPSPEED:
        return nullcontext()
    found: AbstractContextManager[None] = accelerator.no_sync(model)
    return found


def full_value(parameter: Any) -> Tensor:
    """All of a parameter, wherever its parts lie. With spread weights all ranks have to ask."""
    found: Tensor
    if hasattr(parameter, "full_tensor"):
        found = parameter.full_tensor()
        return found
    if hasattr(parameter, "ds_id"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter]):
            found = parameter.detach().clone()
        return found
    found = parameter.detach()
    return found


def fill_parameter(parameter: Any, value: Tensor) -> None:
    """Puts `value`, the whole, where the parts of the parameter lie. All ranks have to."""
    with torch.no_grad():
        if hasattr(parameter, "full_tensor"):
            from torch.distributed.tensor import distribute_tensor

            wanted = value.to(parameter.device, parameter.dtype)
            parameter.copy_(distribute_tensor(wanted, parameter.device_mesh, parameter.placements))
        elif hasattr(parameter, "ds_id"):
            import deepspeed

            with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
                parameter.copy_(value)
        else:
            parameter.copy_(value)


@dataclass(frozen=True)
class ShardedState:
    """An optimiser's state: the whole of it, or this rank's own part; and that of the scaler of its loss."""

    sharing: str
    whole: Any = None
    own: Any = None
    scaler: Any = None


def sharding_layout(resources: Resources) -> str:
    """How an optimiser's state is kept. What is kept in one way cannot be taken up in another."""
    parts = f" of {resources.processes}" if resources.sharding in _STAGES else ""
    return resources.sharding + parts


def sharded_state(model: Any, optimiser: Any, resources: Resources) -> ShardedState:
    """Of prepared ones. All ranks have to ask."""
    kind = sharding_layout(resources)
    if resources.sharding == "none":
        scaler = getattr(optimiser, "scaler", None)  # of a prepared one, under fp16
        return ShardedState(kind, whole=optimiser.state_dict(), scaler=scaler and scaler.state_dict())
    if resources.sharding == "fsdp":
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return ShardedState(kind, whole=get_optimizer_state_dict(model, optimiser, options=options))
    with _masters(model.optimizer) as masters:
        own = {"base": model.optimizer.optimizer.state_dict(), "masters": [m.detach() for m in masters]}
        return ShardedState(kind, own=own)


def load_sharded_state(model: Any, optimiser: Any, sharded: ShardedState) -> None:
    if sharded.sharing == "fsdp":
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_optimizer_state_dict(model, optimiser, sharded.whole, options=options)
        return
    with _masters(model.optimizer) as masters:
        model.optimizer.optimizer.load_state_dict(sharded.own["base"])
        for master, value in zip(masters, sharded.own["masters"], strict=True):
            master.data.copy_(value)


@contextmanager
def _masters(zero: Any) -> Iterator[list[Any]]:
    """This rank's parts of the weights in full precision. While it lasts the inner optimiser holds them."""
    if hasattr(zero, "fp32_partitioned_groups_flat"):
        zero._set_fp32_optimizer_param_groups()
        yield zero.fp32_partitioned_groups_flat
        zero._clear_fp32_optimizer_param_groups()
    else:
        yield zero.single_partition_of_fp32_groups
