"""The code of an MLflow model answers texts as `frontier predict` does."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from exported_models import answered, exported, manifest, text_lines
from tiny_models import LABELS

from orchestrator.contracts.exported import LOGGED_FOLDER, Exported
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.virtual_tokens import Prompt
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.vocabulary import TaskKind
from workers.exported.mlflow_code import mlflow_code

TAGS = ("O", "B-drug", "I-drug")
TEXTS = ["No fever. Severe cough, and a rash.", "Fever since Monday . " * 40]


def logged(root: Path, architecture: str, settings: Any, kind: TaskKind) -> tuple[Any, Exported]:
    """Return the pyfunc model that MLflow would load, and the manifest of its folder."""
    use, out, written = exported(root, architecture, settings, kind)
    if kind is TaskKind.NER:
        use = use.model_copy(update={"labels": TAGS})
        config = json.loads((out / "config.json").read_text())
        (out / "config.json").write_text(json.dumps(config | {"id2label": dict(enumerate(TAGS))}))
    out.rename(root / LOGGED_FOLDER)
    (root / "model.py").write_text(mlflow_code(use, written.program.load))
    name = f"logged_{architecture}_{settings.kind}_{kind.value}"
    spec = spec_from_file_location(name, root / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Answering(), manifest(use, written.layout)


def pairs(root: Path, case: tuple[str, Any, TaskKind]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return what the logged model answers to each text, and what Frontier does."""
    model, of = logged(root, *case)
    source, out = text_lines(root / "in.jsonl", TEXTS), root / "out.jsonl"
    answered((root / LOGGED_FOLDER, of), source, out)
    rows = model.predict(None, pd.DataFrame({"text": TEXTS})).to_dict("records")
    return list(zip(rows, map(json.loads, out.read_text().splitlines()), strict=True))


@pytest.mark.parametrize(
    "case",
    [
        ("bert", Full(), TaskKind.CLASSIFICATION),
        ("llama", Lora(rank=2), TaskKind.CLASSIFICATION),
        ("bert", Prompt(virtual_tokens=3), TaskKind.CLASSIFICATION),
        ("bert", Lora(rank=2), TaskKind.MULTILABEL),
    ],
    ids=lambda case: f"{case[0]}-{case[1].kind}-{case[2]}",
)
def test_labels_and_probabilities_are_those_of_predict(tmp_path: Path, case: Any) -> None:
    given = "labels" if case[2] is TaskKind.MULTILABEL else "label"
    for row, record in pairs(tmp_path, case):
        assert row[given] == record[given]
        shares = {label: row[f"probability of {label}"] for label in LABELS}
        assert shares == pytest.approx(record["probabilities"], abs=1e-5)


def test_a_row_without_a_text_is_refused_by_its_number(tmp_path: Path) -> None:
    model, _ = logged(tmp_path, "bert", Full(), TaskKind.CLASSIFICATION)
    table = pd.DataFrame({"text": ["Marker", None, float("nan"), *[7] * 20]})
    with pytest.raises(ValueError, match="text: 22 of 23 rows have no text: 1, 2, 3, ") as refused:
        model.predict(None, table)
    assert str(refused.value).endswith("10, …")
    assert "Marker" not in str(refused.value)


def test_numbers_are_those_of_predict(tmp_path: Path) -> None:
    for row, record in pairs(tmp_path, ("bert", Full(), TaskKind.REGRESSION)):
        assert row["value"] == pytest.approx(record["value"], abs=1e-4)


def test_entities_are_those_of_predict(tmp_path: Path) -> None:
    compared = pairs(tmp_path, ("bert", Full(), TaskKind.NER))
    for row, record in compared:
        places = [(e["start"], e["end"], e["type"]) for e in row["entities"]]
        assert places == [(e["start"], e["end"], e["type"]) for e in record["entities"]]
    assert any(record["entities"] for _, record in compared)
