"""Tokenizers that came with a model and do harm end their trial, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.exit_reasons import Ending, failure_of
from workers import inputs
from workers.models import foreign_tokenizers
from workers.runtime.attempt import run_attempt

ENDLESS = r"(([a-z ]+)+)+#(?=x)"  # more ways to fail than Oniguruma, the library, wants to try


@pytest.fixture
def hostile(lab: Any, tmp_path: Path) -> BackboneSpec:
    """The tiny backbone, whose tokenizer splits words by an endless pattern."""
    folder = Path(shutil.copytree(lab.backbone.weights.folder, tmp_path / "hostile"))
    file = folder / "tokenizer.json"
    split = {"type": "Split", "pattern": {"Regex": ENDLESS}, "behavior": "Isolated", "invert": False}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pre_tokenizer": split}))
    here = lab.backbone.weights.model_copy(update={"folder": str(folder)})
    spec: BackboneSpec = lab.backbone.model_copy(update={"weights": here})
    return spec


def test_a_panic_of_a_tokenizer_is_a_fault_of_the_weights(
    lab: Any, outcome_of: Any, hostile: BackboneSpec
) -> None:
    order = lab.order(backbone=hostile, recipe={"train_rows": 1})
    assert run_attempt(order) == 0
    failure = outcome_of(order).failure
    assert failure.kind is FailureKind.BAD_INPUT
    assert "its tokenizer ended in a panic" in failure.message
    assert "fever" not in failure.model_dump_json()


class PanicException(BaseException):
    pass


def test_a_panic_elsewhere_leaves_an_outcome(
    lab: Any, outcome_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(order: Any) -> None:
        raise PanicException("byte index 3 is not a char boundary in 'Mrs Smith'")

    monkeypatch.setattr("workers.trial.read_examples", panic)
    order = lab.order()
    assert run_attempt(order) == 0
    failure = outcome_of(order).failure
    assert (failure.kind, failure.message) == (FailureKind.BUG, "PanicException")


def test_a_tokenizer_without_an_end_ends_its_attempt(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is ended from within, whatever holds Python's lock, and the driver says why."""

    def endless(*given: Any, **named: Any) -> None:
        while True:
            pass

    monkeypatch.setattr(inputs, "encode", endless)
    monkeypatch.setattr(foreign_tokenizers, "LOADING_SECONDS", 0.05)
    order = lab.order()
    child = os.fork()
    if child == 0:  # which must not go on as a test
        signal.alarm(60)
        try:
            run_attempt(order)
        finally:
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == -signal.SIGPROF
    kind, message = failure_of(Ending(code))
    assert (kind, message.splitlines()[0]) == (
        FailureKind.BAD_INPUT,
        "the tokenizer of the backbone did not come to an end",
    )
    assert f'"{Phase.TOKENISE}"' in (order.parent / "events.jsonl").read_text().splitlines()[-1]
