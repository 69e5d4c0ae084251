"""Where the wall time of an attempt went, in the parts that grow with different things. Probes are short
attempts that measure this before a sweep starts; finished trials measure it as well."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from orchestrator.contracts.record import Record


class Timing(Record):
    """The wall seconds of one finished attempt, with what it inherited from those that it resumed."""

    device_type: str  # "cpu" or the GPU's product name
    start_seconds: NonNegativeFloat = 0.0  # from allocation to the first line of work, and hand-over
    load_seconds: NonNegativeFloat = 0.0
    tokenise_seconds: NonNegativeFloat = 0.0
    warm_up_seconds: NonNegativeFloat = 0.0  # the part of training that comes once, however long it takes
    train_seconds: PositiveFloat  # without the warm-up
    steps: NonNegativeInt = 0  # optimiser steps in it; 0: not recorded
    evaluate_seconds: NonNegativeFloat = 0.0  # of all evaluations on dev
    closing_seconds: NonNegativeFloat = 0.0  # scoring test, serving, saving: what candidates are spared
    test_seconds: NonNegativeFloat = 0.0  # the part of it that scoring test takes
    devices: PositiveFloat = 1.0  # allocated
    rows: dict[str, NonNegativeInt] = Field(
        default_factory=dict
    )  # as in an outcome: train, train_available …
    joules: NonNegativeFloat | None = None  # of the whole attempt, where there was a meter
    peak_memory_bytes: PositiveInt | None = None  # of the device where it is a GPU, else of the host
    spread: str = ""  # how the devices were used, as in `Device`
    # Tokens that the backbone read in training, by those that its steps consumed: less than 1 where head-only
    # kept states, more than 1 where it read texts again. None: not recorded.
    read_share: NonNegativeFloat | None = None
    dev_reads: PositiveInt | None = None  # how often the backbone read dev; None: not recorded
    pass_size: PositiveInt | None = None  # examples of a training pass of one process; None: not recorded

    @property
    def alone(self) -> Timing:
        """Return the timing as on an exclusive GPU, if it had a part of one. A full GPU gives each attempt
        its part of the time; on one that is not full this is an upper bound."""
        if self.device_type == "cpu" or self.devices >= 1:
            return self
        names = (name for name in type(self).model_fields if name.endswith("_seconds"))
        shorter = {name: getattr(self, name) * self.devices for name in names}
        return self.model_copy(update=shorter | {"devices": 1.0})

    @property
    def wall_seconds(self) -> float:
        return (
            self.start_seconds
            + self.load_seconds
            + self.tokenise_seconds
            + self.warm_up_seconds
            + self.train_seconds
            + self.evaluate_seconds
            + self.closing_seconds
        )


class Standalone(Record):
    """What the calibration of a cell's family measured for a trial of the cell: a short trial that had a
    whole GPU to itself. Seconds of wall time, times GPUs."""

    device_type: str
    step_seconds: PositiveFloat  # of an optimiser step, once it is at pace
    other_seconds: NonNegativeFloat  # loading, first steps, scoring dev as often as planned, test
    calibrated_steps: PositiveInt

    def device_seconds(self, steps: int) -> float:
        """Return the device-seconds of a trial of this many optimiser steps."""
        return self.other_seconds + steps * self.step_seconds
