"""A cluster that grows is asked for the first trial's nodes while its inputs are staged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orchestrator.contracts.resources import Resources
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.execution.ray.launcher import nodes_ahead


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the autoscaler of a cluster hears."""
    from orchestrator.execution.ray import cluster

    found: list[dict[str, Any]] = []

    @contextmanager
    def joined(choice: ClusterChoice, *rest: Any) -> Iterator[None]:
        yield None

    monkeypatch.setattr(cluster, "cluster", joined)
    monkeypatch.setattr(cluster, "request_resources", lambda **asked: found.append(asked))
    return found


@pytest.mark.parametrize(
    ("trial", "bundles", "labels"),
    [
        (Resources(cpus=2), [{"CPU": 2}], [{}]),
        (Resources(cpus=4, gpus=0.25), [{"CPU": 4, "GPU": 1}], [{}]),
        (
            Resources(cpus=8, gpus=4, processes=4, nodes=2, device="nvidia-l4"),
            [{"CPU": 4, "GPU": 2}] * 2,
            [{"frontier/device": "nvidia-l4"}] * 2,
        ),
    ],
)
def test_the_nodes_of_one_trial_are_asked_for_and_given_up_at_the_end(
    asked: list[dict[str, Any]], trial: Resources, bundles: Any, labels: Any
) -> None:
    with nodes_ahead(ClusterChoice("127.0.0.1:6379"), trial):
        assert asked == [{"bundles": bundles, "bundle_label_selectors": labels}]
    assert asked[1:] == [{"bundles": []}]


def test_a_cluster_of_our_own_is_not_asked(asked: list[dict[str, Any]]) -> None:
    with nodes_ahead(ClusterChoice(), Resources()):
        assert asked == []
    assert asked == []


def test_a_cluster_that_cannot_be_asked_is_used_all_the_same(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.execution.ray import cluster

    def no_autoscaler(**asked: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(cluster, "request_resources", no_autoscaler)
    with nodes_ahead(ClusterChoice("127.0.0.1:6379"), Resources()):
        pass
