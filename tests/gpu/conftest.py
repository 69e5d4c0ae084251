"""What needs a CUDA device: `pytest tests/gpu`. Skipped, with the reason, where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from component.conftest import (  # noqa: F401  # fixtures
    events_of,
    lab,
    outcome_of,
    still,
    tiny_bert,
)

from workers.runtime.host import AttemptHost

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True, scope="session")
def _a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device here")


@pytest.fixture
def several_gpus() -> int:
    found = torch.cuda.device_count()
    if found < 2:
        pytest.skip(f"two GPUs are needed, and torch sees {found}")
    return 2


@pytest.fixture(scope="module")
def host():
    started = AttemptHost(threads=1)
    yield started
    started.close()
