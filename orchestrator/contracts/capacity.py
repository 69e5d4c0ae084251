"""What a cluster has, or may grow to."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveInt

from orchestrator.contracts.record import Record


class NodeKind(Record):
    """Nodes that are alike."""

    nodes: PositiveInt = Field(description="at most")
    cpus: NonNegativeInt = Field(description="of one node")
    gpus: NonNegativeInt = Field(0, description="of one node")
    device: str | None = Field(None, description="entry of devices/, by the label of the nodes")
