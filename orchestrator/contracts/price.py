"""What devices, energy and carbon cost: an entry of the price book, dated, with its source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, model_validator

from orchestrator.contracts.record import Record

CPU = "cpu"  # the device type of a core
Market = Literal["on_demand", "spot"]


class DevicePrice(Record):
    """An hour of one device: of a GPU with its share of the host, or of one core."""

    on_demand: PositiveFloat  # in the book's currency
    spot: PositiveFloat | None = None  # of capacity that may be taken away at any time
    watts: PositiveFloat | None = None  # drawn under load, for estimates without a meter
    tflops: PositiveFloat | None = None  # peak of dense half precision: what carries hours between devices


class EnergyPrice(Record):
    """What a kilowatt-hour costs, in money and in carbon."""

    per_kwh: PositiveFloat | None = None  # in the book's currency
    included: bool = True  # in the devices' hours already, as every cloud has it
    grams_co2_per_kwh: PositiveFloat | None = None
    overhead: float = Field(1.0, ge=1)  # of the building, cooling above all (power usage effectiveness)


class PriceBook(Record):
    """Prices of one supplier on one day. Device types are product names as the driver tells them, say
    "NVIDIA A10G", and "cpu" for a core; upper and lower case make no difference."""

    name: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")  # ISO 4217
    as_of: str = Field(pattern=r"\d{4}-\d{2}")  # when the prices held: a date, or words with one in them
    source: str = Field(min_length=1)
    devices: dict[str, DevicePrice] = Field(min_length=1)
    usual_gpu: str | None = None  # what a plan is priced with until a trial has recorded its device
    energy: EnergyPrice | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _says_which_gpu(self) -> PriceBook:
        names = [name.casefold() for name in self.devices]
        if len(set(names)) < len(names):
            raise ValueError("devices: a type stands twice, in upper and lower case")
        gpus = [name for name in self.devices if name.casefold() != CPU]
        if self.usual_gpu is not None and self.usual_gpu not in gpus:
            raise ValueError(f"usual_gpu {self.usual_gpu!r} is none of the GPUs in devices: {gpus}")
        if self.usual_gpu is None and len(gpus) > 1:
            raise ValueError(f"usual_gpu is needed where devices holds several GPUs: {gpus}")
        return self

    def device(self, device_type: str) -> DevicePrice | None:
        matching = (
            price for name, price in self.devices.items() if name.casefold() == device_type.casefold()
        )
        return next(matching, None)

    def rate(self, device_type: str, market: Market = "on_demand") -> float | None:
        """Return the price of an hour of one such device; None if the book has none."""
        price = self.device(device_type)
        return None if price is None else price.spot if market == "spot" else price.on_demand

    @property
    def power_price(self) -> float | None:
        """Return the price of a kilowatt-hour at the device, with the building's share; None if there is
        nothing to pay besides the hours."""
        energy = self.energy
        if energy is None or energy.included or energy.per_kwh is None:
            return None
        return energy.per_kwh * energy.overhead

    def usual(self, kind: Literal["gpu", "core"]) -> str | None:
        """Return the device type that a plan assumes until something has run; None if the book has none of
        them."""
        if kind == "core":
            return CPU if self.device(CPU) else None
        return self.usual_gpu or next((name for name in self.devices if name.casefold() != CPU), None)
