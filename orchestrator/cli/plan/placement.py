"""What the trials of a plan are given, where the sweep left that to the plan."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console

from orchestrator.cli.terminal import styled
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.resources import Resources
from orchestrator.planning import Plan
from orchestrator.planning.packing import per_node
from orchestrator.planning.placement import Placement
from orchestrator.planning.probes import uncalibrated
from orchestrator.units import quantity

_FRACTIONS = {0.125: "an eighth of a GPU", 0.25: "a quarter of a GPU", 0.5: "half a GPU", 1.0: "a GPU"}


def placement_json(plan: Plan) -> dict[str, object]:
    """Return the placement of each cell; empty if the sweep sets `resources` itself."""
    if not isinstance(plan.sweep.config.resources, AutoResources):
        return {}
    return {name: _json(placed) for name, placed in plan.placements.items()}


def _json(placed: Placement) -> dict[str, object]:
    needs = placed.needs
    return {
        "resources": placed.resources.model_dump(mode="json"),
        "precision": placed.precision,
        "memory_bytes": None if needs is None else round(needs.bytes),
        "memory": None if needs is None else needs.words,
    }


def show_placements(plan: Plan, console: Console) -> None:
    """Show a line for each kind of placement, with the arithmetic of the cell that needs most."""
    asked = plan.sweep.config.resources
    if not isinstance(asked, AutoResources) or not plan.placements:
        return
    if asked.device is None:
        cores = quantity(asked.cpus, "core")
        console.print(
            styled("placed", "cyan"), f"every trial on {cores}: there is no GPU here", highlight=False
        )
        return
    kind = plan.sweep.catalogue.devices.get(asked.device)
    if kind is not None and not kind.catalogued:
        console.print(
            styled("placed", "cyan"),
            f"on {kind.products[0]}, which is not in the catalogue: its driver reports "
            f"{kind.memory_gib:.1f} GiB and compute capability {kind.capability}",
            highlight=False,
        )
    kinds: dict[tuple[str, str], list[tuple[str, Placement]]] = defaultdict(list)
    for name, placed in plan.placements.items():
        kinds[place_words(placed.resources), str(placed.precision)].append((name, placed))
    for line in _short_of_cores(plan):
        console.print(styled("placed", "cyan"), line, highlight=False)
    for (text, precision), placements in kinds.items():
        name, largest = max(placements, key=lambda pair: pair[1].needs.bytes if pair[1].needs else 0)
        size = f"largest {name}: {largest.needs.words}" if largest.needs else "their size is not known"
        cells = quantity(len(placements), "cell")
        console.print(
            styled("placed", "cyan"),
            f"{cells} on {text} of {asked.device}, {precision}; {size}",
            highlight=False,
        )
    if kind is not None and not kind.bf16 and any(_is_auto(plan, name) for name in plan.placements):
        console.print(
            styled("note", "yellow"),
            f"{asked.device} has no bf16, so precision: auto trains in fp32 there; "
            "set precision: fp16 to use its tensor cores",
            highlight=False,
        )


def _is_auto(plan: Plan, cell: str) -> bool:
    return plan.cells[cell].recipe.precision == "auto"


def show_calibrations(plan: Plan, console: Console) -> None:
    """Print how many short runs the costs need, if trials share a GPU."""
    if missing := uncalibrated(plan):
        console.print(
            styled("calibrated", "cyan"),
            f"trials that share a GPU cost what {quantity(len(missing), 'short run')} "
            "of their kinds take alone on one: `frontier run` makes them first, billed separately",
            highlight=False,
        )


def _short_of_cores(plan: Plan) -> list[str]:
    """Return a line for each kind of node whose cores run out before its GPUs are full of shares."""
    lines = list[str]()
    for kind in plan.sweep.config.capacity or ():
        for trial in sorted({placed.resources for placed in plan.placements.values()}, key=lambda r: r.gpus):
            room = kind.gpus * round(1 / trial.gpus) if 0 < trial.gpus < 1 else 0
            if kind.cpus // trial.cpus < room and per_node(kind, trial):
                lines.append(
                    f"on nodes with {quantity(kind.cpus, 'core')} and {quantity(kind.gpus, 'GPU')}, at most "
                    f"{kind.cpus // trial.cpus} trials with {place_words(trial)} at once: the cores end "
                    f"before the GPUs, which would hold {room}"
                )
    return lines


def place_words(resources: Resources) -> str:
    """`half a GPU`, `a GPU with passes of 4`, `4 GPUs (4 processes, fsdp)`."""
    text = _FRACTIONS.get(resources.gpus, f"{resources.gpus:g} GPUs")
    text += f" with passes of {resources.micro_batch_size}" if resources.micro_batch_size else ""
    return f"{text} ({resources.spread})" if resources.spread else text
