"""From a first submission to an opened report and a second sweep, on a laptop that mounts nothing and has no
kubectl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeApi

from .conftest import SUCCEEDED, Frontier
from .test_fetch import HOME, served, volume  # noqa: F401  fixtures
from .test_verdict import CALM_END, ending, submitter

WRITTEN = "2 runs written, 0 were up to date: http://mlflow:5000"


@pytest.mark.usefixtures("served")
def test_a_user_needs_nothing_but_frontier(
    api: FakeApi, submit: Frontier, frontier: Frontier, identity: Any
) -> None:
    def synced(fake: FakeApi, body: dict[str, Any]) -> dict[str, Any]:
        submitter(fake, "sync", body["metadata"]["name"], f"  {WRITTEN}\n")
        return SUCCEEDED

    away = CALM_END.model_copy(update={"unpublished": "MLflow at http://mlflow:5000 cannot be written"})
    api.scripts = [[], ending(away), [synced], ending(CALM_END)]

    assert submit("seeds=[12]", "--no-follow").code == 0  # which never starts
    assert "ours-" in frontier("status", "ours").text
    first = submit()
    assert first.code == 0, first.text
    for words in ("it is replaced", "2 of 2 trials finished", "MLflow lacks runs", "report.html"):
        assert words in first.text
    assert first.text.rstrip().endswith(str(HOME / "report" / "report.html"))

    for verb in ("status", "ledger", "report"):
        said = frontier(verb, "ours")
        assert said.code == 0, said.text
        assert "a copy of ours-" in said.text
    assert WRITTEN in frontier("sync", "ours").text

    again = submit("seeds=[12,34,56]")
    assert again.code == 0, again.text
    assert "it resumes from its records" in again.text
    assert Path(HOME, "report", "report.html").is_file()
