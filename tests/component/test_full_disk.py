"""A disk that is full, or a limit on files, is no defect of Frontier, and says what to do."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from kept_methods import stirred
from safetensors import SafetensorError
from tokenizers import Tokenizer, models

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import NO_ROOM_LEFT, WRITTEN
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.no_room import no_room
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.exit_reasons import Ending, failure_of
from workers import checkpoint_writer
from workers.checkpoint import TrainProgress, saved, trained_weights
from workers.checkpoint_writer import snapshot
from workers.distributed.ranks import ALONE
from workers.distributed.sharding import ShardedState
from workers.export import export_model
from workers.runtime import attempt
from workers.runtime.failures import classify
from workers.runtime.records import EventLog

_REFUSED = "File too large|unexpected pos"


@pytest.fixture
def order(lab) -> AttemptOrder:
    return AttemptOrder.model_validate_json(lab.order().read_bytes())


@contextmanager
def no_file_beyond(most_bytes: int) -> Iterator[None]:
    """Let the kernel refuse longer files, as a full disk refuses all."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def of_a_full_device() -> OSError:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space") as raised:
        full.write(b"x")
    return raised.value


def of_an_archive() -> BaseException:
    with pytest.raises((OSError, RuntimeError)) as raised, open("/dev/full", "wb") as full:
        torch.save({"a": torch.zeros(1000)}, full)
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        of_a_full_device(),
        of_an_archive(),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "the patient said"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("write to the patient's file: No space left on device"),
        Exception("No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_says_what_to_do(order, error):
    failure = classify(error, Phase.CHECKPOINT, order)
    assert failure.kind is FailureKind.BAD_INPUT
    assert "-> free space where the sweep is stored" in failure.message
    assert "patient" not in failure.message


def test_other_errors_of_a_write_stay_what_they_are(order):
    assert no_room(PermissionError(errno.EACCES, "No space left for the patient")) is None
    assert classify(RuntimeError("unexpected pos 64"), Phase.CHECKPOINT, order).kind is FailureKind.BUG


def write_checkpoint(directory: Path) -> None:
    adapted = stirred("bert", Full())
    optimiser = torch.optim.AdamW(trained_weights(adapted.model).values())
    for parameter in trained_weights(adapted.model).values():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    sharded = ShardedState("none", full=optimiser.state_dict())
    taken = snapshot(adapted, sharded, None, TrainProgress("f", step=1), ALONE)
    assert taken is not None
    checkpoint_writer.write(directory, taken)


@pytest.mark.parametrize("file", ["weights.safetensors", "state.pt"])
def test_a_checkpoint_without_room_says_why_and_leaves_nothing(tmp_path, order, file):
    write_checkpoint(tmp_path / "whole")
    [whole] = saved(tmp_path / "whole")
    sizes = {path.name: path.stat().st_size for path in whole.iterdir()}
    assert sizes["state.pt"] > sizes["weights.safetensors"]
    with pytest.raises(Exception, match=_REFUSED) as raised, no_file_beyond(sizes[file] - 1):
        write_checkpoint(tmp_path / "none")
    failure = classify(raised.value, Phase.CHECKPOINT, order)
    assert failure.kind is FailureKind.BAD_INPUT
    assert "`ulimit -f`" in failure.message
    assert list((tmp_path / "none").iterdir()) == []


def test_a_model_without_room_says_why_and_leaves_nothing(tmp_path, order):
    with pytest.raises(Exception, match=_REFUSED) as raised, no_file_beyond(4096):
        export_model(stirred("bert", Full()), None, tmp_path / "model", "all")
    assert classify(raised.value, Phase.TEST, order).kind is FailureKind.BAD_INPUT
    assert not (tmp_path / "model").exists()


def test_a_tokenizer_without_room_is_no_defect(tmp_path):
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(2000)}, unk_token="w0"))
    with pytest.raises(Exception, match=_REFUSED) as raised, no_file_beyond(4096):
        words.save(str(tmp_path / "tokenizer.json"))
    assert no_room(raised.value) == errno.EFBIG


def test_an_attempt_that_cannot_write_its_outcome_says_so_by_its_exit_code(lab, monkeypatch):
    path = lab.order()

    def refused(log: EventLog, event: object) -> None:
        raise of_a_full_device()

    def full(*arguments: object) -> bool:
        raise of_a_full_device()

    monkeypatch.setattr(EventLog, "write", refused)
    monkeypatch.setattr(attempt, "write_outcome", full)
    (path.parent / "crash.log").symlink_to("/dev/full")
    code = attempt.run_logged(path)
    assert code == NO_ROOM_LEFT
    assert not (path.parent / layout.OUTCOME).exists()
    kind, message = failure_of(Ending(code))
    assert kind is FailureKind.BAD_INPUT
    assert "-> free space where the sweep is stored" in message


def test_an_attempt_under_a_limit_ends_with_the_fix(host, lab, outcome_of):
    path = lab.order(recipe={"epochs": 1}, keep_weights="all")
    template = host._template.pid
    before = resource.prlimit(template, resource.RLIMIT_FSIZE)
    resource.prlimit(template, resource.RLIMIT_FSIZE, (32_768, before[1]))
    try:
        assert host.run(path) == WRITTEN
    finally:
        resource.prlimit(template, resource.RLIMIT_FSIZE, before)
    failure = outcome_of(path).failure
    assert failure.kind is FailureKind.BAD_INPUT
    assert "`ulimit -f`" in failure.message
    assert not (path.parent / layout.MODEL).exists()
