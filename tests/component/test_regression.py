"""A trial of a task that predicts a number, and what the model answers afterwards."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from exported_models import answered, manifest, text_lines, use_of
from kept_methods import stirred
from tiny_models import tiny_folder

from orchestrator.contracts.exported import ExportRequest, WeightsLayout
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.export import export_model
from workers.exported.folder import write_folder
from workers.exported.snippet import usage_program
from workers.losses import summed_loss
from workers.models.tokenizers import load_tokenizer
from workers.runtime.attempt import run_attempt
from workers.tasks import LogitMeaning

SCALE = TargetScale(mean=5.0, deviation=2.5)


def test_the_loss_is_the_squared_difference_on_the_scale() -> None:
    logits, labels = torch.tensor([[0.5], [1.0]]), torch.tensor([0.0, -1.0])
    assert summed_loss(LogitMeaning.NUMBER, logits, labels).item() == pytest.approx(0.25 + 4.0)


def task_of_stays(data: Path) -> dict[str, Any]:
    """Write texts whose sign says how long somebody stays, and return what a task over them has of its
    own."""
    words = {"rash": 2.0, "cough": 5.0, "fever": 11.0}
    for split, count in {"train": 48, "dev": 16, "test": 16}.items():
        kinds = [list(words)[n % 3] for n in range(count)]
        lines = [f"severe {kind} {split} {n},{words[kind]}" for n, kind in enumerate(kinds)]
        (data / f"{split}.csv").write_text("\n".join(["text,days", *lines]) + "\n")
    files = {split: (f"{split}.csv",) for split in Split}
    reader = TableReader(format="csv", files=files, text="text", label="days")
    return {"kind": TaskKind.REGRESSION, "reader": reader, "metric": MetricName.MAE, "unit": "days"}


def test_a_trial_learns_its_number_and_records_the_scale(lab: Any, outcome_of: Any, events_of: Any) -> None:
    order = lab.order(recipe={"epochs": 10, "learning_rate": 1e-2}, task=task_of_stays(lab.data))
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    train = np.array([2.0, 5.0, 11.0] * 16)
    assert outcome.target_scale.mean == pytest.approx(train.mean())
    assert outcome.target_scale.deviation == pytest.approx(train.std())
    test = np.array([[2.0, 5.0, 11.0][n % 3] for n in range(16)])
    assert outcome.guessing[MetricName.MAE] == pytest.approx(np.abs(test - 5.0).mean())
    assert outcome.test[MetricName.MAE].value < outcome.guessing[MetricName.MAE]
    assert outcome.train_classes == {}
    best = [e.metrics[MetricName.MAE].value for e in events_of(order) if e.event == "evaluation"]
    assert outcome.dev[MetricName.MAE].value == min(best)
    assert (order.parent / "examples.bin").is_file()


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_an_exported_model_answers_in_the_unit_of_the_number(tmp_path: Path, ending: str) -> None:
    adapted = stirred("bert", Lora(rank=2), TaskKind.REGRESSION)
    use = use_of("bert", Lora(rank=2), TaskKind.REGRESSION)
    use = use.model_copy(update={"target_scale": SCALE})
    tokenizer = load_tokenizer(use.backbone, tiny_folder("bert"))
    export_model(adapted, tokenizer, tmp_path / "kept", "adapters")
    folder = tmp_path / "model"
    folder.mkdir()
    written = write_folder(
        ExportRequest(use=use, kept=str(tmp_path / "kept"), cache_dir=str(tmp_path), out=str(folder))
    )
    out = tmp_path / f"out.{ending}"
    model = folder, manifest(use, written.layout)
    answered(model, text_lines(tmp_path / "in.jsonl", ["No fever."]), out)
    if ending == "csv":
        [record] = csv.DictReader(io.StringIO(out.read_text()))
        assert list(record) == ["row", "value", "cut"]
    else:
        record = json.loads(out.read_text())
    with torch.no_grad():
        inputs = tokenizer("No fever.", return_tensors="pt")
        expected = SCALE.mean + SCALE.deviation * adapted.model.eval()(**inputs).logits[0, 0].item()
    assert float(record["value"]) == pytest.approx(expected, abs=1e-4)
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == "regression"


def test_the_program_of_the_card_gives_the_number() -> None:
    use = use_of("bert", Full(), TaskKind.REGRESSION).model_copy(update={"target_scale": SCALE})
    scope = {
        "torch": torch,
        "tokenizer": lambda *_, **__: {},
        "model": lambda **_: SimpleNamespace(logits=torch.tensor([[2.0]])),
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(usage_program(use, WeightsLayout.WHOLE, has_base=False).answer, scope)
    assert printed.getvalue() == "10.000\n"
