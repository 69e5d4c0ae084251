"""Which version of Frontier a sweep was run with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from orchestrator.cli.run import provenance


def test_a_checkout_that_is_not_installed_has_the_version_of_its_pyproject(monkeypatch):
    installed = version("frontier-sweeps")

    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "version_of", none)
    assert provenance.version() == installed


@pytest.fixture
def _installed(monkeypatch):
    monkeypatch.setattr(provenance, "version_of", lambda name: "9.9")


@pytest.mark.usefixtures("_installed")
def test_an_installed_distribution_says_its_version_itself():
    assert provenance.version() == "9.9"
