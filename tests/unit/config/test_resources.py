"""What a trial can be given, and how it is shared."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.contracts.resources import Resources


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cpus": 3, "processes": 2}, "cpus: 3 cannot be shared evenly by processes 2"),
        ({"cpus": 3, "processes": 3, "nodes": 2}, "processes: 3 cannot be shared evenly by nodes 2"),
        ({"cpus": 2, "processes": 2, "gpus": 1}, "each of processes 2 takes one GPU"),
        ({"cpus": 2, "gpus": 2}, "gpus: 2, and processes 1 takes one GPU"),
        ({"sharding": "zero2"}, "shares out between processes, and processes is 1"),
        ({"cpus": 2, "processes": 2, "sharding": "zero3", "offload": True}, "off the GPUs"),
        ({"gpus": 1, "offload": True}, "sharding none, gpus 1"),
    ],
)
def test_what_cannot_be_shared_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Resources(**wrong)


def test_how_devices_are_used_is_told_in_words() -> None:
    assert Resources(cpus=4).spread == ""
    many = Resources(
        cpus=16, gpus=8, processes=8, nodes=2, sharding="zero3", offload=True, gradient_checkpointing=True
    )
    assert many.spread == "8 processes, 2 nodes, zero3, offload, gradient checkpointing"
    assert (many.devices, many.threads) == (8, 2)
    assert Resources(gpus=1, sharding="zero2", offload=True).spread == "zero2, offload"
