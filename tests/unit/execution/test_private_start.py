"""A private Ray cluster that does not start: it is tried again once, and then said in words."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from orchestrator.errors import LaunchError
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.execution.ray import cluster

LATE = "The current node timed out during startup. This could happen because some of the raylet failed"


class Ray:
    """In the place of Ray: each start leaves a process behind, and fails while `errors` are left."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.started: list[psutil.Process] = []
        self.asked_for: dict[str, object] = {}

    def is_initialized(self) -> bool:
        return False

    def shutdown(self) -> None:
        pass

    def init(self, **asked_for: object) -> SimpleNamespace:
        self.asked_for = asked_for
        self.started.append(psutil.Popen(["sleep", "600"], stdout=subprocess.DEVNULL))
        if self.errors:
            raise self.errors.pop(0)
        return SimpleNamespace(dashboard_url="127.0.0.1:1" if asked_for["include_dashboard"] else "")

    def left(self) -> int:
        return sum(process.is_running() for process in self.started)

    def close(self) -> None:
        for process in self.started:
            if process.is_running():
                process.kill()
                process.wait()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    used: list[Ray] = []

    def put(ray: Ray) -> Ray:
        used.append(ray)
        monkeypatch.setattr(cluster, "ray", ray)
        return ray

    yield put
    for ray in used:
        ray.close()


def test_a_start_that_came_too_late_is_tried_again_and_leaves_nothing_of_the_first(use, tmp_path: Path):
    ray = use(Ray(Exception(LATE)))
    with cluster.cluster(ClusterChoice(), tmp_path, 2, None) as ready:
        assert ready is not None
        assert len(ray.started) == 2
        assert ray.left() == 1


def test_a_machine_that_is_too_busy_twice_is_told_so(use, tmp_path: Path):
    ray = use(Ray(Exception(LATE), Exception(LATE)))
    with pytest.raises(LaunchError) as caught, cluster.cluster(ClusterChoice(), tmp_path, 2, None):
        pass
    assert "twice" in str(caught.value)
    assert "--launcher local" in str(caught.value)
    assert ray.left() == 0


@pytest.mark.parametrize(
    "error", [ValueError("no room in /dev/shm"), RuntimeError("GCS"), OSError(28, "full")]
)
def test_any_other_reason_is_an_error_at_once(use, tmp_path: Path, error: Exception):
    ray = use(Ray(error))
    with (
        pytest.raises(LaunchError, match=type(error).__name__) as caught,
        cluster.cluster(ClusterChoice(), tmp_path, 2, None),
    ):
        pass
    assert str(error) in str(caught.value)
    assert len(ray.started) == 1
    assert ray.left() == 0


@pytest.mark.parametrize("dashboard", [True, False])
def test_the_dashboard_is_started_and_told_where_it_is_wanted(use, tmp_path: Path, dashboard: bool):
    ray = use(Ray())
    with cluster.cluster(ClusterChoice(dashboard=dashboard), tmp_path, 2, None) as ready:
        assert ray.asked_for["include_dashboard"] is dashboard
        assert (ready is not None) is dashboard
