"""A follower whose sweep vanishes before it has seen the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes_api import FakeApi

from .conftest import RUNNING, Frontier
from .test_fetch import HOME, served, volume  # noqa: F401  fixtures


def deleted(fake: FakeApi, body: dict[str, Any]) -> None:
    name = body["metadata"]["name"]
    fake.answer("DELETE", f"/apis/ray.io/v1/namespaces/frontier/rayjobs/{name}", {}, {}, "")


def cleared_away(fake: FakeApi, body: dict[str, Any]) -> None:
    """As a submission does that makes room: the file stays, with the RayJob in it."""
    [config_map] = fake.all("configmaps")
    at = "/api/v1/namespaces/frontier/configmaps/" + config_map["metadata"]["name"]
    kept = {"apiVersion": "ray.io/v1", "kind": "RayJob", **{k: body[k] for k in ("metadata", "spec")}}
    metadata = {"ownerReferences": None, "annotations": {"frontier/ray-job": json.dumps(kept)}}
    fake.answer("PATCH", at, {}, {"metadata": metadata}, "application/merge-patch+json")
    deleted(fake, body)


@pytest.mark.usefixtures("served")
def test_a_sweep_that_was_cleared_away_meanwhile_is_no_success_and_its_report_comes(
    api: FakeApi, submit: Frontier
) -> None:
    api.scripts = [[RUNNING, cleared_away]]
    said = submit()
    assert said.code == 3
    assert "is gone from namespace frontier" in said.text
    assert "how it ended was not seen" in said.text
    assert said.text.rstrip().endswith(str(HOME / "report" / "report.html"))


def test_without_its_records_the_command_that_fetches_them_is_named(
    api: FakeApi, submit: Frontier, frontier: Frontier
) -> None:
    api.scripts = [[RUNNING, cleared_away]]
    said = submit("--no-fetch")
    assert said.code == 3
    assert "`frontier fetch ours-" in said.text
    again = frontier("follow", "ours", "--no-fetch")
    assert again.code == 3
    assert "`frontier fetch ours-" in again.text


def test_a_sweep_that_was_deleted_with_its_file_says_where_its_records_are(
    api: FakeApi, submit: Frontier
) -> None:
    api.scripts = [[RUNNING, deleted]]
    said = submit()
    assert said.code == 3
    assert "its records stay, with the report in /storage/sweeps/ours/report" in said.text
    assert "`frontier submit CONFIG --overlay OVERLAY`" in said.text
