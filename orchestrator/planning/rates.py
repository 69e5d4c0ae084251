"""The speed at which training is assumed to run where nothing has been measured yet."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.config import ResolvedSweep
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.device import DeviceKind
from orchestrator.contracts.recipe import Recipe
from orchestrator.planning.observed_memory import device_kind

# Floating-point operations a second, on the low side of what small encoders reach.
_CORE, _UNKNOWN_GPU = 2e10, 3e13
_REACHED = 0.3  # of a GPU's peak in half precision
# fp32 runs beside the tensor cores: at a half of that peak (A10G) to a sixteenth (A100, H100).
_FP32 = 1 / 8


@dataclass(frozen=True)
class AssumedRate:
    """Operations a second on one device. `tflops` is the GPU's peak in half precision, None where it is not
    known; `kind` its entry in the catalogue."""

    gpu: bool
    product: str | None = None
    tflops: float | None = None
    kind: DeviceKind | None = None

    def of(self, recipe: Recipe) -> float:
        if not self.gpu:
            return _CORE
        if self.tflops is None:
            return _UNKNOWN_GPU
        full_precision = recipe.precision == "fp32" or (
            recipe.precision == "auto" and self.kind is not None and not self.kind.bf16
        )
        return self.tflops * 1e12 * _REACHED * (_FP32 if full_precision else 1.0)

    @property
    def words(self) -> str:
        if not self.gpu:
            return f"{_CORE / 1e9:g} GFLOP/s a core"
        if self.tflops is None:
            return f"{_UNKNOWN_GPU / 1e9:g} GFLOP/s a GPU"
        return (
            f"{_REACHED:.0%} of the {self.tflops:g} TFLOP/s of {self.product}, in fp32 at an eighth of that"
        )


def assumed_rate(sweep: ResolvedSweep) -> AssumedRate:
    """Return the rate of the device that the sweep names, else of the usual device of its price book."""
    asked = sweep.config.resources
    if not asked.gpus:
        return AssumedRate(gpu=False)
    book = sweep.catalogue.prices.get(sweep.config.prices or "")
    product = None if book is None else book.usual("gpu")
    kind = device_kind(asked, product, sweep.catalogue.devices)
    if kind is not None and isinstance(asked, AutoResources) and asked.device is not None:
        product = kind.products[0]
    price = None if book is None else book.device(product or "")
    tflops = (None if kind is None else kind.tflops) or (None if price is None else price.tflops)
    return AssumedRate(gpu=True, product=product, tflops=tflops, kind=kind)
