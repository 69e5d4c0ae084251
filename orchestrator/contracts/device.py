"""Kinds of GPUs, as far as a plan has to know them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from orchestrator.contracts.record import Record

GIB = 2**30
CONTEXT_BYTES = 0.7 * GIB  # what CUDA and cuBLAS take of a GPU in each process, beside tensors
DEVICE_LABEL = "frontier/device"  # of a node of Ray: the catalogue's name of its GPUs


_OF_THE_DRIVER = "not in the catalogue: as the driver of this machine describes it"
_OVERHEAD = 0.98  # of what the driver counts, CUDA reports the rest
_FIRST_WITH_BF16 = (8, 0)  # CUDA compute capability


class DeviceKind(Record):
    """One catalogue entry. `products` are names as the driver of the card tells them, say "NVIDIA A10G", in
    upper or lower case. The first one names it in a price book."""

    name: str
    products: tuple[str, ...] = Field(min_length=1)
    memory_gib: PositiveFloat  # what torch can allot on an empty one: less than the data sheet says
    bf16: bool  # in hardware
    # CUDA compute capability: which compiled code it runs. None: not known.
    capability: float | None = Field(None, ge=1, lt=100)
    tflops: PositiveFloat | None = None  # dense peak in bf16, in fp16 where it has none
    source: str = Field(min_length=1)
    note: str | None = None

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({product.casefold() for product in self.products}) < len(self.products):
            raise ValueError("products: a name stands twice, in upper and lower case")
        return self

    @property
    def compute_capability(self) -> tuple[int, int] | None:
        """Return the major and minor number."""
        return None if self.capability is None else divmod(round(self.capability * 10), 10)

    @classmethod
    def of_driver(cls, product: str, memory_bytes: int, capability: tuple[int, int]) -> Self:
        """Describe a GPU that the catalogue lacks by what its driver reports."""
        return cls(
            name=re.sub(r"[^a-z0-9]+", "-", product.lower()).strip("-"),
            products=(product,),
            memory_gib=_OVERHEAD * memory_bytes / GIB,
            bf16=has_bf16(capability),
            capability=capability[0] + capability[1] / 10,
            source=_OF_THE_DRIVER,
        )

    @property
    def catalogued(self) -> bool:
        return self.source != _OF_THE_DRIVER

    @property
    def memory_bytes(self) -> float:
        return self.memory_gib * GIB

    def is_product(self, name: str) -> bool:
        return name.casefold() in {product.casefold() for product in self.products}


def has_bf16(capability: tuple[int, int]) -> bool:
    """Return whether GPUs of this compute capability have bf16 in hardware."""
    return capability >= _FIRST_WITH_BF16


def kind_of_product(kinds: Iterable[DeviceKind], product: str | None) -> DeviceKind | None:
    """Return the kind that has this product name; None if there is none."""
    return next((kind for kind in kinds if product is not None and kind.is_product(product)), None)
