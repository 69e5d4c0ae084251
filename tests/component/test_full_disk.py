"""A disk that is full is no defect of Frontier, and says what to do."""

from __future__ import annotations

import errno
import os

import pytest
from safetensors import SafetensorError

from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from workers.runtime.failures import classify


@pytest.fixture
def order(lab) -> AttemptOrder:
    return AttemptOrder.model_validate_json(lab.order().read_bytes())


def of_a_full_device() -> OSError:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space") as raised:
        full.write(b"x")
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        of_a_full_device(),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "the patient said"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("write to the patient's file: No space left on device"),
    ],
)
def test_a_full_disk_says_what_to_do(order, error):
    failure = classify(error, Phase.CHECKPOINT, order)
    assert failure.kind is FailureKind.BAD_INPUT
    assert "-> free space where the sweep is stored" in failure.message
    assert "patient" not in failure.message
