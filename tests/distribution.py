"""How the tests are distributed over the processes of pytest-xdist, and how long one may take.

Tests that share what is slow to start (a server, a finished sweep, a Ray head, the fixture of a module) share
a process, so that it is started once. Only one process at a time makes machines of namespaces.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# A group for all tests that ask for this fixture; the first that fits.
GROUPS = {
    "mlflow_server": "finished-sweep",  # whose runs it is given
    "postgres": "finished-sweep",
    "finished": "finished-sweep",
    "nodes": "machines",
    "ray_cluster": "ray",
    "attempt_host": "attempt-host",
}
# Of these directories all tests: they share a GPU, or a cluster.
WHOLE = ("gpu", "cluster")
# What waits comes first: at the end, quick tests even out the load.
ORDER = ("e2e", "component", "contract", "gpu", "cluster", "unit", "manifests", "docs")
# Seconds, where the limit of pyproject.toml is too short on a busy machine: whole sweeps, faults that Ray
# notices late, commands that stage weights, and warm hosts that a test starts for itself.
SECONDS = {
    "e2e": 1200,
    "component/test_canaries.py": 300,
    "component/test_host.py": 300,
    "component/test_hub.py": 300,
    "component/test_hub_datasets.py": 300,
    "component/test_ranks.py": 300,
    "component/test_ranks_in_launchers.py": 600,
    "component/test_private_cluster.py": 300,
    "component/test_selfcheck.py": 1500,
    "component/test_sharded.py": 300,
    "component/test_split_counts.py": 300,
    "component/test_foreign_folders.py": 300,
    "gpu/test_selfcheck.py": 1500,
    "unit/cli/test_surroundings.py": 300,
    "unit/execution/test_whole_sweeps.py": 300,
}


def processes() -> int:
    """Return how many share the tests with `-n auto`: one more than the cores, because many tests wait for a
    cluster or a server, but no more than 8 (each loads torch)."""
    return min(len(os.sched_getaffinity(0)) + 1, 8)


def once(path: Path, make: Callable[[Path], object]) -> Path:
    """Return a file or directory that the first process to ask for it makes. The others wait for it."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            draft = path.with_name(f"{path.name}.draft")
            make(draft)
            draft.rename(path)
    return path


def distribute(items: list[pytest.Item]) -> None:
    """Give each test its group, and put the tests in the order in which the processes take them."""
    for item in items:
        group = _group(item)
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: ORDER.index(_room(item)) if _room(item) in ORDER else len(ORDER))


def limit(items: list[pytest.Item]) -> None:
    """Give the slow tests more time."""
    for item in items:
        seconds = SECONDS.get(str(item.path.relative_to(TESTS)), SECONDS.get(_room(item)))
        if seconds is not None:
            item.add_marker(pytest.mark.timeout(seconds))


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def _group(item: pytest.Item) -> str | None:
    if _room(item) in WHOLE:
        return _room(item)
    if hasattr(item, "callspec") and "ray" in item.callspec.params.values():
        return "ray"
    fixtures = getattr(item, "fixturenames", ())
    for fixture, group in GROUPS.items():
        if fixture in fixtures:
            return group
    definitions = item._fixtureinfo.name2fixturedefs if hasattr(item, "_fixtureinfo") else {}
    shared = any(known[-1].scope in ("class", "module") for known in definitions.values() if known)
    return str(item.path.relative_to(TESTS)) if shared else None
