"""What each trial is given, and in which order trials start. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.config import GridCell
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.device import DeviceKind
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources, Sharding
from orchestrator.contracts.sharding import why_not_shared
from orchestrator.contracts.vocabulary import Precision
from orchestrator.planning.memory import Estimate, estimate, gib
from orchestrator.planning.workload import Workload

T = TypeVar("T")

MARGIN = 0.1  # of a device's memory: what its allocator cannot use, and what an estimate misses
_FRACTIONS = (0.125, 0.25, 0.5)  # of a GPU, for trials that share it
_KEEP_ALL = frozenset({"albert"})  # architectures without gradient checkpointing


@dataclass(frozen=True, slots=True)
class Placement:
    """What a trial is given. `needs` is None on cores, and where the catalogue does not say how large the
    model is: it then gets a whole GPU."""

    resources: Resources
    precision: Precision | None = None  # None: the worker finds out
    needs: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: str


class Placer:
    """Gives a trial the least that an estimate of its memory allows, of these in turn: a share of a GPU; a
    GPU; smaller passes of the same optimiser step; activations computed again; several GPUs that share out
    what training holds; host memory. Where the sweep says what trials are given, all get that."""

    def __init__(self, asked: Resources | AutoResources, devices: Mapping[str, DeviceKind]) -> None:
        self._asked = asked
        name = asked.device if isinstance(asked, AutoResources) else None
        self._device = None if name is None else devices[name]
        self._known: dict[Hashable, Placement | Refusal] = {}

    def place(self, cell: GridCell, *, alone: bool = False) -> Placement | Refusal:
        """`alone` means that it shares no GPU, whatever the estimate says."""
        asked, device = self._asked, self._device
        if not isinstance(asked, AutoResources):
            return Placement(asked)
        if device is None:
            return Placement(Resources(cpus=asked.cpus))
        settings = cell.variant.spec.settings
        states = Workload.of_cell(cell).state_bytes()
        key = (cell.backbone.name, settings, cell.recipe, states)
        if alone:
            asked = asked.model_copy(update={"share": False})
        if (key, alone) not in self._known:
            self._known[key, alone] = _least(asked, device, cell, states)
        return self._known[key, alone]


def precision_on(device: DeviceKind, recipe: Recipe) -> Precision:
    """Return the precision that the worker will use."""
    if recipe.precision == "auto":
        return Precision.BF16 if device.bf16 else Precision.FP32
    return Precision(recipe.precision)


def holds(device: DeviceKind, resources: Resources, needs: Estimate) -> bool:
    """Return whether a process fits on its share of the device, less the reserve."""
    return needs.bytes <= min(resources.gpus, 1) * device.memory_bytes * (1 - MARGIN)


def _least(
    asked: AutoResources, device: DeviceKind, cell: GridCell, states: int | None
) -> Placement | Refusal:
    backbone, settings, recipe = cell.backbone, cell.variant.spec.settings, cell.recipe
    precision, tried = precision_on(device, recipe), list[tuple[Resources, Estimate]]()
    if precision is Precision.BF16 and not device.bf16:
        return Refusal(
            f"recipe.precision is bf16, which {device.name} has not in hardware; set precision: fp32, or auto"
        )
    if problem := settings.unsupported_precision(precision):
        return Refusal(f"{settings.kind} cannot train in {precision}: {problem}; set precision: fp32")
    for way in _ways(asked, backbone, settings, recipe):
        resources = way.model_copy(update={"device": device.name})
        needs = estimate(backbone, settings, recipe, resources, precision, states)
        if needs is None:
            return Placement(Resources(cpus=asked.cpus, gpus=1, device=device.name), precision)
        if holds(device, resources, needs):
            return Placement(resources, precision, needs)
        tried.append((resources, needs))
    return Refusal(_does_not_fit(device, tried, _why_not_spread(asked, settings)))


def _ways(
    asked: AutoResources, backbone: BackboneSpec, settings: Settings, recipe: Recipe
) -> Iterator[Resources]:
    """The cheapest first. No share of a GPU where training is measured in seconds: how many steps fit into
    them, and so the score, would depend on the neighbours."""
    usual = recipe.pass_sizes[0]
    recomputes = settings.recomputes_activations and backbone.architecture not in _KEEP_ALL
    again = (False, True) if recomputes else (False,)

    def given(size: int, **keys: object) -> Resources:
        chosen = {"micro_batch_size": size} if size != usual else {}
        return Resources.model_validate({"cpus": asked.cpus, "gpus": 1.0, **chosen, **keys})

    if asked.share and recipe.train_seconds is None:
        yield from (given(usual, gpus=fraction) for fraction in _FRACTIONS)
    for checkpointing in again:
        for size in recipe.pass_sizes:
            yield given(size, gradient_checkpointing=checkpointing)
    if recipe.precision == "fp16" or _why_not_spread(asked, settings) is not None:
        return
    for offload in (False, True) if asked.offload else (False,):
        for count in _counts(asked, recipe):
            spread = {
                "gpus": float(count),
                "processes": count,
                "cpus": asked.cpus * count,
                "offload": offload,
            }
            spread["nodes"] = -(-count // asked.gpus_a_node)
            for sharding in _shardings(asked):
                for checkpointing in again:
                    for size in recipe.pass_sizes:
                        if size <= -(-recipe.batch_size // count):
                            way = {"sharding": sharding, "gradient_checkpointing": checkpointing}
                            yield given(size, **way, **spread)


def _counts(asked: AutoResources, recipe: Recipe) -> Iterator[int]:
    """Twice as many each time: no more than one optimiser step has examples for, and nodes filled evenly."""
    count = 2
    while count <= min(asked.most_gpus, recipe.batch_size):
        if count <= asked.gpus_a_node or count % asked.gpus_a_node == 0:
            yield count
        count *= 2


def _shardings(asked: AutoResources) -> tuple[Sharding, ...]:
    return ("zero2", "zero3") if asked.backend == "deepspeed" else ("fsdp",)


def _why_not_spread(asked: AutoResources, settings: Settings) -> str | None:
    """Return why the trial cannot use several GPUs, by the sharding that spreads most; without that one the
    others are not offered either."""
    problem = why_not_shared(settings, _shardings(asked)[-1])
    return problem or ("most_gpus is 1" if asked.most_gpus == 1 else None)


def _does_not_fit(
    device: DeviceKind, tried: Sequence[tuple[Resources, Estimate]], not_spread: str | None
) -> str:
    """Return what one GPU and the smallest tried option need, and what there is."""
    whole_gpus = [(r, needs) for r, needs in tried if r.gpus == 1 and not r.gradient_checkpointing]
    last, least = min(tried, key=lambda pair: pair[1].bytes)
    room = f"{device.name} has {gib(device.memory_bytes)}, {MARGIN:.0%} of it in reserve"
    message = f"it does not fit: {room}, and it needs {whole_gpus[-1][1].words}"
    if last is not whole_gpus[-1][0]:
        how = [f"{last.gpus:g} GPUs"] if last.gpus > 1 else ["one GPU"]
        how += [last.spread] if last.spread else []
        message += f"; least of all on {', '.join(how)}: {least.words}"
    return message if not_spread is None else f"{message}; {not_spread}"


def longest_first(items: Sequence[T], seconds: Callable[[T], float | None]) -> list[T]:
    """Sort the longest trials first, so that none is left for the end. Unknown ones lead, as they may be the
    longest; ties keep the given order."""
    return sorted(items, key=lambda item: _descending(seconds(item)))


def seed_by_seed(
    items: Sequence[T], seed: Callable[[T], int], seconds: Callable[[T], float | None]
) -> list[T]:
    """Return the order in which trials start: all of the first seed, then all of the next, each longest
    first.

    Seeds of one cell so run at different times. How busy the machine is then becomes part of their scatter,
    and the cells of one seed share it (randomised blocks; Mytkowicz et al. 2009). Side by side they would all
    meet the same load, and their costs would seem surer than they are. Seeds keep the order in which they
    first occur.
    """
    blocks: dict[int, list[T]] = {}
    for item in items:
        blocks.setdefault(seed(item), []).append(item)
    return [item for block in blocks.values() for item in longest_first(block, seconds)]


def _descending(seconds: float | None) -> float:
    return float("-inf") if seconds is None else -seconds
