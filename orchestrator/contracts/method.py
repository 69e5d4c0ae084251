"""A method: how a backbone is adapted, with its settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from orchestrator.contracts.record import Record


class Full(Record):
    """Every weight is trained."""

    kind: Literal["full"] = "full"


class HeadOnly(Record):
    """The backbone is frozen and stays in evaluation mode; only the modules outside it are trained."""

    kind: Literal["head-only"] = "head-only"


class Lora(Record):
    """Low-rank adapters on attention projections (Hu et al. 2021)."""

    kind: Literal["lora"] = "lora"
    rank: PositiveInt = 8
    alpha: PositiveFloat | None = None  # None: equal to the rank, as in the study
    dropout: float = Field(0.1, ge=0, lt=1)


class Ia3(Record):
    """Learnt rescaling of keys, values and feed-forward activations (Liu et al. 2022)."""

    kind: Literal["ia3"] = "ia3"


class MethodSpec(Record):
    """`name` is the readable slug that stands in paths and tables, say `lora-r8`; `entry` the catalogue's."""

    name: str
    entry: str
    settings: Full | HeadOnly | Lora | Ia3 = Field(discriminator="kind")
