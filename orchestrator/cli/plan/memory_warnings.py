"""Cells that may not fit what a sweep gives every trial: reported, not refused, because the sweep chose its
resources."""

from __future__ import annotations

from collections import defaultdict
from typing import TypedDict

from rich.console import Console

from orchestrator.cli.terminal import styled
from orchestrator.config import GridCell
from orchestrator.contracts.device import DeviceKind
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Precision
from orchestrator.planning import Plan
from orchestrator.planning.memory import Estimate, estimate, gib
from orchestrator.planning.placement import holds
from orchestrator.planning.workload import Workload
from orchestrator.units import quantity


class TooLarge(TypedDict):
    """Keys are stable: `--json` prints them."""

    backbone: str
    method: str
    trials: int
    memory_bytes: int
    memory: str
    fits_on: list[str]  # devices of the catalogue
    usual: str | None  # the device that the prices mean


def too_large(plan: Plan) -> list[TooLarge]:
    """Model and method whose estimate exceeds the GPU that the sweep's prices mean, or where they name none
    that is known, every GPU of the catalogue. In half precision unless the recipe says otherwise."""
    resources, devices = plan.sweep.config.resources, plan.sweep.catalogue.devices
    if not isinstance(resources, Resources) or not resources.gpus:
        return []
    usual, warnings = _usual(plan), list[TooLarge]()
    cells: dict[tuple[str, str], list[GridCell]] = defaultdict(list)
    for cell in plan.sweep.grid.cells:
        cells[cell.backbone.name, cell.cell.method].append(cell)
    for (backbone, method), alike in cells.items():
        needs = [
            n
            for c in {(c.recipe, c.task.spec.name): c for c in alike}.values()
            if (n := _needs(c, resources)) is not None
        ]
        if not needs:
            continue
        most = max(needs, key=lambda n: n.bytes)
        holders = [name for name, device in devices.items() if holds(device, resources, most)]
        if holders and (usual is None or usual.name in holders):
            continue
        trials = sum(len(cell.folds) for cell in alike) * len(plan.sweep.config.seeds)
        warnings.append(
            {
                "backbone": backbone,
                "method": method,
                "trials": trials,
                "memory_bytes": round(most.bytes),
                "memory": most.words,
                "fits_on": sorted(holders),
                "usual": usual.name if usual else None,
            }
        )
    return warnings


def show_too_large(plan: Plan, console: Console) -> None:
    devices = plan.sweep.catalogue.devices
    for line in too_large(plan):
        usual = devices.get(line["usual"] or "")
        assumed = (
            "" if usual is None else f" The price list assumes {usual.name} ({gib(usual.memory_bytes)})."
        )
        fits = ", ".join(line["fits_on"])
        devices_with = (
            f"GPUs in configs/devices with enough: {fits}."
            if fits
            else "No GPU in configs/devices has enough memory."
        )
        verb = "needs" if line["trials"] == 1 else "need"
        trials = f"{quantity(line['trials'], 'trial')} of {line['backbone']} {line['method']} {verb}"
        console.print(
            styled("too large?", "yellow"),
            f"{trials} {line['memory']} on a GPU.{assumed} {devices_with}\n"
            "    -> set resources: {device: …}, which gives each cell what it needs, or refuses it",
            highlight=False,
        )


def _usual(plan: Plan) -> DeviceKind | None:
    price = plan.sweep.catalogue.prices.get(plan.sweep.config.prices or "")
    product = None if price is None else price.usual("gpu")
    kinds = plan.sweep.catalogue.devices.values()
    return next((device for device in kinds if product in device.products), None)


def _needs(cell: GridCell, resources: Resources) -> Estimate | None:
    precision = Precision.BF16 if cell.recipe.precision == "auto" else Precision(cell.recipe.precision)
    settings, states = cell.variant.spec.settings, Workload.of_cell(cell).state_bytes()
    return estimate(cell.backbone, settings, cell.recipe, resources, precision, states)
