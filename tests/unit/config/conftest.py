"""A sweep file to begin from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import ResolvedSweep, load_sweep
from orchestrator.errors import ConfigError, Problem

Load = Callable[..., ResolvedSweep]
ProblemsOf = Callable[..., tuple[Problem, ...]]

GOOD: dict[str, Any] = {
    "name": "ours",
    "models": ["tiny", "base"],
    "domains": ["general", "clinical"],
    "methods": ["full", "lora"],
    "tasks": ["ncbi-disease", "mts-dialog"],
    "seeds": [12],
}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a good sweep file with some keys changed (a value of None removes one)."""

    def _load(*arguments: str, **keys: Any) -> ResolvedSweep:
        file = tmp_path / "ours.yaml"
        file.write_text(yaml.safe_dump({k: v for k, v in (GOOD | keys).items() if v is not None}))
        return load_sweep(file, arguments, cwd=tmp_path)

    return _load


@pytest.fixture
def problems(load: Load) -> ProblemsOf:
    """Return the problems of such a file."""

    def problems_of(*arguments: str, **keys: Any) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            load(*arguments, **keys)
        return caught.value.problems

    return problems_of
