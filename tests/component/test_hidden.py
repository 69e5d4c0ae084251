"""Libraries that others import without need are not imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel

from orchestrator.contracts.hidden import hidden
from workers.demo.tiny import tiny_config
from workers.distributed.saving import save_model
from workers.distributed.sharding import _settle_deepspeed

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a library of these lines before the one that may be installed; nothing has imported it yet."""

    def installed(name: str, *lines: str) -> None:
        (tmp_path / f"{name}.py").write_text("\n".join(lines))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(sys.modules, name, None)  # to be undone at the end
        del sys.modules[name]

    return installed


def test_a_library_is_hidden_until_then_and_one_that_is_imported_never(install: Install) -> None:
    install("optional")
    with hidden("optional", "sys"):
        assert __import__("sys") is sys
        with pytest.raises(ModuleNotFoundError):
            __import__("optional")
    assert __import__("optional").__name__ == "optional"
    with hidden("optional"):
        assert __import__("optional").__name__ == "optional"


def test_a_model_is_saved_without_importing_deepspeed(install: Install, tmp_path: Path) -> None:
    """transformers would, to ask whether the model is DeepSpeed's."""
    install("deepspeed", "raise AssertionError('imported')")
    save_model(AutoModel.from_config(tiny_config("bert")), tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert "deepspeed" not in sys.modules


def test_deepspeed_is_imported_without_mlflow(install: Install) -> None:
    install("mlflow", "raise AssertionError('imported')")
    install("deepspeed", "try:", "    import mlflow", "except ImportError:", "    mlflow = None")
    _settle_deepspeed(cpu=False)
    found: Any = sys.modules["deepspeed"]
    assert found.mlflow is None
    assert "mlflow" not in sys.modules
