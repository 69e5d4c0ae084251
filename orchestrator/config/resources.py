"""Resources that a sweep leaves to its plan, which then chooses them cell by cell (`planning.placement`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, PositiveInt, Tag

from orchestrator.contracts.record import Record, raise_problems
from orchestrator.contracts.resources import Resources
from orchestrator.errors import Problem


class AutoResources(Record):
    """What the plan may choose from. Without a device trials run on cores, one process each."""

    device: str | None = Field(None, description="a GPU of the catalogue; null: the GPU of this machine")
    cpus: PositiveInt = Field(1, description="cores of each process")
    most_gpus: PositiveInt = Field(8, description="the most GPUs of one trial")
    gpus_a_node: PositiveInt = Field(8, description="GPUs of one node; a trial with more gets several nodes")
    share: bool = Field(
        True, description="let small trials share a GPU; false: whole GPUs, so that wall times are comparable"
    )
    backend: Literal["fsdp", "deepspeed"] = Field(
        "fsdp", description="what shards a model over GPUs; deepspeed is an extra"
    )
    offload: bool = Field(False, description="keep what is sharded in host memory if nothing else fits")

    @property
    def gpus(self) -> float:
        """Return 1 if there are GPUs, else 0. The cell decides how many a trial gets."""
        return 1.0 if self.device is not None else 0.0

    @property
    def devices(self) -> float:
        """Return the devices of a trial whose cell is not known."""
        return self.gpus or float(self.cpus)


def _spelt_out(value: object) -> object:
    """Return the resources as a mapping. Raises ProblemError if it sets what the plan is to choose."""
    if not isinstance(value, dict) or "device" not in value:
        return {"device": None} if value == "auto" else value
    chosen = Resources.model_fields.keys() - AutoResources.model_fields.keys()
    raise_problems(
        Problem.of_key(
            key,
            "excludes `device`: with a device the plan chooses what each trial is given",
            f"remove `device`, or remove `{key}`; `most_gpus` limits what the plan may choose",
        )
        for key in value
        if key in chosen
    )
    return value


def _which(value: object) -> str:
    auto = "device" in value if isinstance(value, dict) else isinstance(value, AutoResources)
    return AutoResources.__name__ if auto else Resources.__name__


# `auto`, a mapping with `device`, or what every trial is given.
AskedResources = Annotated[
    Annotated[Resources, Tag(Resources.__name__)] | Annotated[AutoResources, Tag(AutoResources.__name__)],
    Discriminator(_which),
    BeforeValidator(_spelt_out, json_schema_input_type=Literal["auto"] | Resources | AutoResources),
]
