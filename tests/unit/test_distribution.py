"""Tests that share what is slow to start run in one process of pytest-xdist."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="module")
def shared() -> None:
    """A fixture of the module, so its tests are a group."""


def test_a_group_is_part_of_the_name_by_which_tests_are_handed_out(
    shared: None, request: pytest.FixtureRequest
) -> None:
    """pytest-xdist 3.8 loses the groups silently with pytest 9.2, and where a hook sets them too late."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@unit/test_distribution.py")
