"""The doors of `frontier predict` and `frontier evaluate`: wrong words and folders that are no export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_builder import task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.exported import BASE, MANIFEST, Exported, ModelUse, WeightsLayout
from orchestrator.contracts.files import sha256_of
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Precision, TaskKind
from orchestrator.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a manifest and one file of weights."""
    root = tmp_path / "model"
    root.mkdir()
    weights = root / "model.safetensors"
    weights.write_bytes(b"weights")
    backbone = BackboneSpec(
        name="tiny", model="tiny", domain="none", architecture="bert", weights=FolderWeights(folder=BASE)
    )
    exported = Exported(
        frontier_version="0.1.0",
        sweep="tiny",
        cell=Cell(model="tiny", domain="none", method="full", task="outcome"),
        seed=1,
        fingerprint="f" * 16,
        layout=WeightsLayout.WHOLE,
        use=ModelUse(
            kind=TaskKind.CLASSIFICATION,
            labels=("ill", "well"),
            max_length=64,
            backbone=backbone,
            method=MethodSpec(name="full", entry="full", settings=Full()),
            precision=Precision.FP32,
            batch_size=8,
        ),
        task=task("outcome"),
        device_type="cpu",
        test={},
        files={weights.name: sha256_of(weights)},
    )
    (root / MANIFEST).write_text(exported.model_dump_json())
    return root


def refused(*words: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(done.exception, ConfigError), done.output
    assert done.exception.exit_code == 2
    return str(done.exception)


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    file = tmp_path / "letters.csv"
    file.write_text("text\nNo fever\n")
    return file


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_folder_that_is_no_export_is_refused(tmp_path: Path, letters: Path, verb: str) -> None:
    last = letters if verb == "predict" else "outcome"
    assert "frontier.json is missing" in refused(verb, tmp_path, last)
    said = refused(verb, tmp_path / "absent", last)
    assert "there is no such folder" in said
    assert "frontier export SWEEP --out DIR" in said


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_weights_that_are_cut_off_or_missing_are_named(folder: Path, letters: Path, verb: str) -> None:
    last = letters if verb == "predict" else "outcome"
    (folder / "model.safetensors").write_bytes(b"weig")
    assert "model.safetensors: has sha256" in refused(verb, folder, last)
    (folder / "model.safetensors").unlink()
    assert "model.safetensors: is missing" in refused(verb, folder, last)


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_files_that_were_added_and_would_be_read_are_refused(folder: Path, letters: Path, verb: str) -> None:
    (folder / "base").mkdir()
    added = ["adapter_config.json", "adapter_model.safetensors", "w.bin", "a.PKL", "base/pytorch_model.bin"]
    for name in [*added, "README.md", "answers.jsonl"]:
        (folder / name).write_bytes(b"")
    said = refused(verb, folder, letters if verb == "predict" else "outcome")
    assert said.count("was not exported: frontier.json does not list it") == len(added)
    assert [name for name in added if f"{folder / name}: was not exported" not in said] == []


def test_a_manifest_of_another_version_is_refused_with_its_key(folder: Path, letters: Path) -> None:
    written = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(written | {"layout": "other"}))
    said = refused("predict", folder, letters)
    assert "frontier.json: layout" in said
    assert "export the model again" in said


def test_all_wrong_words_of_predict_are_said_at_once(folder: Path, tmp_path: Path) -> None:
    said = refused("predict", folder, tmp_path / "letters.xls", "--out", tmp_path / "answers.txt")
    assert "there is no such file" in said
    assert "end it in .jsonl or .csv" in said


def test_answers_that_are_there_are_not_written_over(folder: Path, letters: Path) -> None:
    (letters.parent / "letters.predictions.jsonl").write_text("mine")
    assert "exists already" in refused("predict", folder, letters)
    assert (letters.parent / "letters.predictions.jsonl").read_text() == "mine"


def test_a_task_of_another_kind_is_refused(folder: Path) -> None:
    assert "is a task of kind ner" in refused("evaluate", folder, "demo-ner")


def test_a_task_that_nobody_knows_is_answered_with_a_name(folder: Path) -> None:
    assert "did you mean 'demo-ner'?" in refused("evaluate", folder, "demo-nex")
