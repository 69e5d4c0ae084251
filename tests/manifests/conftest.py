from __future__ import annotations

import shutil

import pytest
from golden_overlays import OVERLAYS, overlay

from orchestrator.cluster.documents import Document


@pytest.fixture(params=OVERLAYS)
def each_overlay(request: pytest.FixtureRequest) -> list[Document]:
    return overlay(request.param)


@pytest.fixture
def kubectl() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on this machine: the golden files are taken as they are")
