"""A folder that says it is an export is read as weights of strangers are: tensors, and nothing that runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_models import exported, manifest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from orchestrator.contracts.exported import Exported
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import InputError, WeightsError
from workers.exported.models import answering


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Exported]]:
    """A whole model and an adapter, exported."""
    folders = {}
    for name, settings in {"whole": Full(), "adapter": Lora(rank=2)}.items():
        root = tmp_path_factory.mktemp(name)
        use, out, written = exported(root, "bert", settings, TaskKind.CLASSIFICATION)
        folders[name] = out, manifest(use, written.layout)
    return folders


@pytest.fixture
def copied(made: dict[str, tuple[Path, Exported]], tmp_path: Path) -> Callable[[str], tuple[Path, Exported]]:
    def copy(name: str) -> tuple[Path, Exported]:
        folder, of = made[name]
        return Path(shutil.copytree(folder, tmp_path / "model")), of

    return copy


def load(folder: Path, of: Exported) -> Any:
    model, _ = answering(of.use, folder, of.layout, folder.parent, None)
    return model


def index(folder: Path, file: str) -> None:
    """Say in an index that all tensors are in `file`."""

    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        names = list(weights.keys())
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict.fromkeys(names, file)})
    )


@pytest.mark.parametrize("file", ["w.bin", "../outside/model.safetensors"])
def test_an_index_of_a_whole_model_leads_to_no_pickle_and_out_of_no_folder(copied: Any, file: str) -> None:
    folder, of = copied("whole")
    index(folder, file)
    (folder.parent / "outside").mkdir()
    weights = (folder / "model.safetensors").rename(folder.parent / "outside" / "model.safetensors")
    if file.endswith(".bin"):
        torch.save(load_file(weights), folder / file)
    with pytest.raises(WeightsError, match=r"weight_map: names .*only \*\.safetensors of the same folder"):
        load(folder, of)


def test_an_adapter_beside_a_whole_model_is_not_attached(copied: Any, made: Any) -> None:
    folder, of = copied("whole")
    expected = load(folder, of)
    adapter, _ = made["adapter"]
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, folder / name)
    assert load(folder, of).state_dict().keys() == expected.state_dict().keys()


def test_a_whole_model_asks_for_no_kernel_of_a_hub(copied: Any) -> None:
    folder, of = copied("whole")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attn_implementation": "owner/kernel"}))
    with pytest.raises(WeightsError, match=r"config\.json: attn_implementation: names a kernel of a hub"):
        load(folder, of)


def test_a_whole_model_without_all_its_weights_is_refused(copied: Any) -> None:

    folder, of = copied("whole")
    weights = load_file(folder / "model.safetensors")
    weights.pop("classifier.bias")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"its weights lack classifier\.bias"):
        load(folder, of)


def test_the_weights_of_an_adapter_are_never_a_pickle(copied: Any) -> None:

    folder, of = copied("adapter")
    weights = folder / "adapter_model.safetensors"
    torch.save(load_file(weights), folder / "adapter_model.bin")
    weights.unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors is missing"):
        load(folder, of)
