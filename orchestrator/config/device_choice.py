"""Which device a sweep's resources are chosen for, where it leaves them to its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from orchestrator.config.resources import AutoResources
from orchestrator.config.schema import SweepConfig
from orchestrator.config.source import KeySource
from orchestrator.contracts.device import DeviceKind, kind_of_product
from orchestrator.contracts.gpus import Gpu
from orchestrator.contracts.resources import Resources
from orchestrator.errors import Problem, did_you_mean

_OF_DEVICES = ("device_hours", "money")  # budgets that become seconds by the devices of a trial
_OF_TIME = ("train_seconds", *_OF_DEVICES)  # in which a trial trains more or less, as its device allows


def settle_device(
    config: SweepConfig,
    devices: Mapping[str, DeviceKind],
    source: KeySource,
    gpu_here: Callable[[], Gpu | None],
) -> tuple[Resources | AutoResources, list[Problem], DeviceKind | None]:
    """The sweep's resources with their device named, what is wrong with them, and that device where the
    catalogue does not have it. `gpu_here` gives this machine's GPU, None without one."""
    asked, where = config.resources, source.of("resources.device")
    if not isinstance(asked, AutoResources):
        return asked, list(_on_a_share(config, source)) if asked.shares_a_gpu else [], None
    if asked.device is not None and asked.device not in devices:
        problem = f"device not in the catalogue, got {asked.device!r}"
        wrong = Problem(where, "resources.device", problem, did_you_mean(asked.device, devices))
        return asked, [wrong], None
    detected = None
    if asked.device is None:
        gpu = gpu_here()
        catalogued = kind_of_product(devices.values(), None if gpu is None else gpu.product)
        name = None if catalogued is None else catalogued.name
        if gpu is not None and name is None:
            if gpu.capability is None:
                problem = f"the GPU here is {gpu.product!r}, which is none of the catalogue's devices"
                fix = "name one of as much memory, or add devices/NAME.yaml to a catalogue of your own"
                return asked, [Problem(where, "resources.device", problem, fix)], None
            detected = DeviceKind.of_driver(gpu.product, gpu.memory_bytes, gpu.capability)
            name = detected.name
        asked = asked.model_copy(update={"device": name})
    return asked, list(_of_the_plan(config, source)) if asked.device is not None else [], detected


def _of_the_plan(config: SweepConfig, source: KeySource) -> Iterator[Problem]:
    for key in _budgets(config, _OF_DEVICES):
        problem = "is a budget of devices, and `resources` leaves them to the plan"
        fix = "use train_seconds, or say what a trial is given: resources: {cpus: 4, gpus: 1}"
        yield Problem(source.of(key), key, problem, fix)


def _on_a_share(config: SweepConfig, source: KeySource) -> Iterator[Problem]:
    for key in _budgets(config, _OF_TIME):
        problem = (
            f"is a budget of time, and a trial has {config.resources.gpus:g} of a GPU: how far it trains "
            "would depend on the other trials of that GPU"
        )
        yield Problem(source.of(key), key, problem, "set resources.gpus to 1, or use steps or epochs")


def _budgets(config: SweepConfig, kinds: Sequence[str]) -> Iterator[str]:
    """Return the keys of the file that set a budget of one of these kinds."""
    layers: list[tuple[str, Mapping[str, object]]] = [("recipe", config.recipe.values())]
    layers += [("axes", config.axes.axes())]
    layers += [(f"methods.{index}", item.axes()) for index, item in enumerate(config.methods)]
    layers += [
        (f"rules.{index}.set", rule.set.values()) for index, rule in enumerate(config.rules) if rule.set
    ]
    for at, layer in layers:
        yield from (f"{at}.{kind}" for kind in kinds if layer.get(kind) is not None)
