"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# Time is never asserted: on a shared machine an example may take any number of milliseconds.
settings.register_profile("frontier", deadline=None)
settings.load_profile("frontier")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The public corpora: FRONTIER_TEST_DATA, or `shared/data` beside the repository."""
    found = Path(os.environ.get("FRONTIER_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not found.is_dir():
        pytest.skip("the public corpora are not here; set FRONTIER_TEST_DATA to their directory")
    return found
