"""Sharding of a model over the ranks of an attempt: the accelerator, and a check that it does what was asked.

    none    DistributedDataParallel: every rank holds everything, gradients are averaged
    zero1…3 DeepSpeed: optimiser state, then gradients, then weights are shared out
    fsdp    torch's fully_shard: all of it is

A backend that is configured wrongly falls back to something else silently, so the result is checked before
anything trains.
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
from torch.nn.utils import clip_grad_norm_
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from orchestrator.contracts.hidden import hidden
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sharding import SPREADS_WEIGHTS, why_not_shared
from orchestrator.contracts.vocabulary import Precision
from orchestrator.errors import LaunchError

_STAGES = {"zero1": 1, "zero2": 2, "zero3": 3}


def spreads_weights(resources: Resources) -> bool:
    """Return whether the weights are sharded, so that no rank has a full model."""
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
    """Return the accelerator; it scales the loss under fp16 only.

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
    with hidden("mlflow"):  # all of which DeepSpeed's autotuner would import
        import deepspeed
    if cpu:
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
    """Return both as training uses them. Raises LaunchError where they are not what was asked for.

    A single process that scales no loss keeps its own optimiser: accelerate's looks for installed packages in
    every step.
    """
    if resources.sharding != "fsdp" and is_plain(accelerator):
        model = accelerator.prepare(model)
    elif resources.sharding != "fsdp":
        model, optimiser = accelerator.prepare(model, optimiser)
    _prove(accelerator, model, resources)
    return model, optimiser


def is_plain(accelerator: Accelerator) -> bool:
    """Return whether a step needs nothing of accelerate: there is one process, and no loss is scaled."""
    alone = accelerator.distributed_type is DistributedType.NO and not torch.distributed.is_initialized()
    return alone and accelerator.scaler is None


def backward(accelerator: Accelerator, loss: Tensor) -> None:
    """Add the gradients of `loss` to those of the weights that train."""
    if is_plain(accelerator):
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        accelerator.backward(loss)


def clip_gradients(accelerator: Accelerator, parameters: list[Any], largest: float) -> None:
    """Scale the gradients down to a norm of at most `largest`, however many processes hold them."""
    if is_plain(accelerator):
        clip_grad_norm_(parameters, largest)
    else:
        accelerator.clip_grad_norm_(parameters, largest)


def _prove(accelerator: Accelerator, model: Any, resources: Resources) -> None:
    if resources.processes == 1 and resources.sharding == "none":
        return
    deepspeed = resources.sharding in _STAGES
    kind = "DEEPSPEED" if deepspeed else "MULTI_GPU" if resources.gpus else "MULTI_CPU"
    engine = {"none": "DistributedDataParallel", "fsdp": "FSDPModule"}.get(
        resources.sharding, "DeepSpeedEngine"
    )
    expected: list[Any] = [DistributedType[kind].value, resources.processes, engine]
    actual: list[Any] = [accelerator.distributed_type.value, accelerator.num_processes, _engine(model)]
    if deepspeed and actual[2] == engine:
        expected.append(_STAGES[resources.sharding])
        actual.append(model.zero_optimization_stage())
    if actual != expected:
        raise LaunchError(
            f"resources.sharding {resources.sharding} over {resources.processes} processes was to give "
            f"{expected}, and gave {actual}\n    -> check the versions of accelerate and deepspeed"
        )


def _engine(model: Any) -> str:
    names = [kind.__name__ for kind in type(model).__mro__]
    engines = ("DeepSpeedEngine", "DistributedDataParallel", "FSDPModule")
    return next((name for name in engines if name in names), names[0])


def sync_gradients(accelerator: Accelerator, model: Any, last: bool) -> AbstractContextManager[None]:
    """Wrap the forward and backward of one pass of a step: the ranks exchange gradients in the last one
    only."""
    accelerator.sync_gradients = last
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)
        return nullcontext()
    if last or accelerator.distributed_type is DistributedType.DEEPSPEED:
        return nullcontext()
    context: AbstractContextManager[None] = accelerator.no_sync(model)
    return context


def full_value(parameter: Any) -> Tensor:
    """Return the full parameter. In a sharded model all ranks have to call this."""
    value: Tensor
    if hasattr(parameter, "full_tensor"):
        value = parameter.full_tensor()
        return value
    if hasattr(parameter, "ds_id"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter]):
            value = parameter.detach().clone()
        return value
    value = parameter.detach()
    return value


def fill_parameter(parameter: Any, value: Tensor) -> None:
    """Copy the full `value` into a parameter, sharded or not. All ranks have to call this."""
    with torch.no_grad():
        if hasattr(parameter, "full_tensor"):
            from torch.distributed.tensor import distribute_tensor

            moved = value.to(parameter.device, parameter.dtype)
            parameter.copy_(distribute_tensor(moved, parameter.device_mesh, parameter.placements))
        elif hasattr(parameter, "ds_id"):
            import deepspeed

            with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
                parameter.copy_(value)
        else:
            parameter.copy_(value)


@dataclass(frozen=True)
class ShardedState:
    """The state of an optimiser, in full or this rank's own part, and that of its loss scaler."""

    sharing: str
    full: Any = None
    own: Any = None
    scaler: Any = None


def sharding_layout(resources: Resources) -> str:
    """Return the name of the optimiser state's layout. A checkpoint of one layout cannot be loaded into
    another."""
    parts = f" of {resources.processes}" if resources.sharding in _STAGES else ""
    return resources.sharding + parts


def sharded_state(model: Any, optimiser: Any, resources: Resources) -> ShardedState:
    """Return the state of a prepared optimiser. All ranks have to call this."""
    kind = sharding_layout(resources)
    if resources.sharding == "none":
        scaler = getattr(optimiser, "scaler", None)  # of a prepared one, under fp16
        return ShardedState(kind, full=optimiser.state_dict(), scaler=scaler and scaler.state_dict())
    if resources.sharding == "fsdp":
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return ShardedState(kind, full=get_optimizer_state_dict(model, optimiser, options=options))
    with _masters(model.optimizer) as masters:
        own = {"base": model.optimizer.optimizer.state_dict(), "masters": [m.detach() for m in masters]}
        return ShardedState(kind, own=own)


def load_sharded_state(model: Any, optimiser: Any, sharded: ShardedState) -> None:
    if sharded.sharing == "fsdp":
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_optimizer_state_dict(model, optimiser, sharded.full, options=options)
        return
    with _masters(model.optimizer) as masters:
        model.optimizer.optimizer.load_state_dict(sharded.own["base"])
        for master, value in zip(masters, sharded.own["masters"], strict=True):
            master.data.copy_(value)


@contextmanager
def _masters(zero: Any) -> Iterator[list[Any]]:
    """Yield this rank's parts of the weights in full precision, which the inner optimiser has meanwhile."""
    if hasattr(zero, "fp32_partitioned_groups_flat"):
        zero._set_fp32_optimizer_param_groups()
        yield zero.fp32_partitioned_groups_flat
        zero._clear_fp32_optimizer_param_groups()
    else:
        yield zero.single_partition_of_fp32_groups
