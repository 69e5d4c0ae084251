"""What one trial is given, and how it is spread over that: devices, processes, shards, passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, PositiveInt, model_validator
from pydantic.json_schema import SkipJsonSchema

from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record, raise_problems
from orchestrator.errors import Problem

Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp"]


class Resources(Record):
    """What one trial is given, and how it is spread over that. Not in the fingerprint.

    `cpus` and `gpus` are those of the whole trial, shared evenly by its processes, `processes` by its nodes.
    What is spread over them changes the cost, not the steps: every batch of the recipe is cut into as many
    parts as there are processes.
    """

    cpus: PositiveInt = Field(1, description="cores of one trial")
    gpus: float = Field(0, ge=0, description="GPUs of one trial; below 1 trials share one")
    processes: PositiveInt = Field(1, description="ranks of one trial; one GPU each where there are GPUs")
    nodes: PositiveInt = Field(1, description="machines that the processes are spread over")
    sharding: Sharding = Field(
        "none",
        description="split among the processes: optimiser (zero1), gradients (zero2), weights (zero3, fsdp)",
    )
    offload: bool = Field(False, description="keep what is sharded in host memory")
    gradient_checkpointing: bool = Field(
        False, description="compute activations again instead of keeping them"
    )
    micro_batch_size: PositiveInt | None = Field(
        None,
        description="examples a forward pass of each process; null: as the recipe says. The step stays",
    )
    # The entry of devices/ that the plan chose all this for: a cluster gives the trial no other kind of GPU.
    # In a sweep's file it is beside other keys, those of `AutoResources`.
    device: SkipJsonSchema[str | None] = Field(None, exclude_if=lambda name: name is None)

    @model_validator(mode="after")
    def _coherent(self) -> Resources:
        raise_problems(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        for what, total, of, parts in (
            ("cpus", self.cpus, "processes", self.processes),
            ("processes", self.processes, "nodes", self.nodes),
        ):
            if total % parts:
                problem = f"{total} cannot be shared evenly by {of} {parts}"
                yield Problem.of_key(what, problem, f"make {what} a multiple of {of}")
        if self.gpus and self.gpus != self.processes and (self.processes > 1 or self.gpus > 1):
            each = f"each of processes {self.processes}" if self.processes > 1 else "processes 1"
            problem = f"{self.gpus:g}, and {each} takes one GPU"
            yield Problem.of_key("gpus", problem, "make gpus and processes the same number")
        if self.offload and (self.sharding == "none" or not self.gpus):
            problem = (
                f"moves off the GPUs what sharding shares out: sharding {self.sharding}, gpus {self.gpus:g}"
            )
            yield Problem.of_key("offload", problem, "set sharding and gpus, or leave offload out")
        if self.sharding != "none" and self.processes == 1 and not (self.offload and self.gpus == 1):
            problem = f"{self.sharding} shares out between processes, and processes is 1"
            yield Problem.of_key("sharding", problem, "raise processes, or leave sharding out")

    @property
    def devices(self) -> float:
        """Allocated devices: GPUs where there are any, else cores."""
        return self.gpus if self.gpus else float(self.cpus)

    @property
    def shares_a_gpu(self) -> bool:
        """Other trials may run on its GPU: what it takes there depends on them."""
        return 0 < self.gpus < 1

    def pass_size(self, recipe: Recipe) -> int:
        """Return the examples of a training pass of one process: never more than its part of the batch."""
        size = self.micro_batch_size or recipe.pass_sizes[0]
        return min(size, -(-recipe.batch_size // self.processes))

    def scoring_size(self, recipe: Recipe) -> int:
        """Return the examples of a scoring pass of one process: in proportion to its training passes."""
        return max(1, recipe.evaluation_batch_size * self.pass_size(recipe) // recipe.pass_sizes[0])

    @property
    def threads(self) -> int:
        """Cores of one process."""
        return self.cpus // self.processes

    @property
    def spread(self) -> str:
        """Describe how the devices are used, as the comparison key names it; empty for the plain way."""
        parts = [f"{self.processes} processes"] if self.processes > 1 else []
        parts += [f"{self.nodes} nodes"] if self.nodes > 1 else []
        parts += [self.sharding] if self.sharding != "none" else []
        parts += ["offload"] if self.offload else []
        return ", ".join(parts + (["gradient checkpointing"] if self.gradient_checkpointing else []))
