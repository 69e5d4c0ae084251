"""A new method is two files and a YAML: nothing else in the project knows the methods by name."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file
from workshop import Workshop

import orchestrator
from orchestrator.config.catalogue import builtin_catalogue

PROJECT = Path(orchestrator.__file__).parent.parent
SETTINGS = '''
from typing import Literal

from orchestrator.contracts.methods.base import MethodSettings


class WordVectors(MethodSettings):
    """The input embeddings are trained."""

    kind: Literal["word-vectors"] = "word-vectors"

    @property
    def description(self):
        return "word vectors trained"

    def parameters_outside_layers(self, shape):
        return shape.embeddings
'''
WORKER = """
from orchestrator.contracts.methods.embeddings import WordVectors
from workers.methods.weights import Selective


class _WordVectors(Selective):
    def pick(self, backbone, settings, spec):
        return [backbone.get_input_embeddings().weight]


METHODS = {WordVectors: _WordVectors()}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The packages and the catalogue, with an invented method among them."""
    copy, ignored = tmp_path / "project", shutil.ignore_patterns("__pycache__", "catalogue")
    for package in ("orchestrator", "workers"):
        shutil.copytree(PROJECT / package, copy / package, ignore=ignored)
    shutil.copytree(builtin_catalogue(), copy / "configs")
    (copy / "orchestrator/contracts/methods/embeddings.py").write_text(SETTINGS)
    (copy / "workers/methods/embeddings.py").write_text(WORKER)
    (copy / "configs/methods/word-vectors.yaml").write_text(
        "settings: {kind: word-vectors}\nrecipe: {learning_rate: 1e-3}\n"
    )
    return copy


def test_plan_training_and_report_know_a_method_that_two_files_and_a_yaml_add(
    project: Path, new_workshop: Callable[[], Workshop]
) -> None:
    shop = new_workshop()
    sweep = shop.write(domains=["general"], methods=["word-vectors"], tasks=["mini-outcome"], seeds=[1])

    def frontier(*words: str | Path) -> Any:
        done = subprocess.run(
            shop.command(*words, "--json"),
            cwd=shop.root,
            env=shop.environment | {"PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    placed = frontier("plan", sweep, "models=base", "resources={device: nvidia-a100-40gb}")["placed"]
    [forecast] = [cell["memory"] for cell in placed.values()]
    assert "0.09 GiB gradients" in forecast  # 23 million word vectors and a head, in fp32

    report = frontier("run", sweep, "--launcher", "local")
    [point] = report["tasks"][0]["points"]
    [weights] = shop.sweeps.glob("mini/trials/**/trained.safetensors")
    rows, width = load_file(weights)["bert.embeddings.word_embeddings.weight"].shape
    assert (point["state"], point["adapted_parameters"]) == ("finished", rows * width)
    assert point["saved_bytes"] >= 4 * rows * width
    assert "word vectors trained" in (shop.sweeps / "mini/report/report.md").read_text()
