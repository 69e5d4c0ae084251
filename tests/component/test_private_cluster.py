"""The private Ray cluster of a run: where it listens, and whose files its workers import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.execution.ray.launcher import LOOPBACK

# It starts a cluster as a launch does, and tells what listens below it while an actor is up.
DRIVER = """
import json, sys
from pathlib import Path

import psutil

from orchestrator.execution.launcher import Workplace
from orchestrator.execution.ray.launcher import RayLauncher
from orchestrator.execution.retries import RetryPolicy

root = Path(sys.argv[1])
place = Workplace(root / "sweeps" / "x", root / "cache")
launcher = RayLauncher(place, RetryPolicy(), address="local", cpus=1)  # as without an address
with launcher.session():
    directory = launcher._cluster(launcher._session, lambda event: None)
    import ray

    def found():
        import random, sys, workers
        return random.__file__, workers.__file__, sys.path, sys.flags.safe_path

    actor_found = ray.get(ray.remote(num_cpus=1)(found).remote())
    this = psutil.Process()
    listening = [
        (process.name(), connection.laddr.ip)
        for process in (this, *this.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    print(json.dumps({"listening": listening, "found": actor_found, "directory": str(directory)}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a driver told that was started in a folder full of traps, with a TMPDIR too long for sockets."""
    root = tmp_path_factory.mktemp("private")
    folder, temporary = root / "work", root / ("a" * 100)
    temporary.mkdir()
    for name in ("workers.py", "random.py", "json.py", "ray/__init__.py", "grpc.py"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(root / 'executed')!r}, 'w').close()\nraise SystemExit(99)\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_") and key != LOOPBACK}
    done = subprocess.run(
        [sys.executable, "-P", "-c", DRIVER, str(root)],
        cwd=folder,
        env=kept | {"TMPDIR": str(temporary), "RAY_TMPDIR": str(temporary), "RAY_NAMESPACE": "foreign"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1])) | {
        "folder": str(folder),
        "executed": (root / "executed").exists(),
    }


def test_all_of_it_listens_on_this_machine_alone(told: dict[str, Any]) -> None:
    names = " ".join(name for name, _ in told["listening"])
    assert all(part in names for part in ("gcs_server", "raylet"))
    elsewhere = [(name, ip) for name, ip in told["listening"] if ip.removeprefix("::ffff:") != "127.0.0.1"]
    assert elsewhere == []


def test_its_workers_import_nothing_from_where_the_user_stands(told: dict[str, Any]) -> None:
    random, workers, path, safe = told["found"]
    assert not told["executed"]
    assert safe
    assert not {told["folder"], "", "."} & {*path}
    assert told["folder"] not in str(Path(random).parent) + str(Path(workers).parent)


def test_its_directory_is_short_and_goes_away(told: dict[str, Any]) -> None:
    assert len(told["directory"]) < 48
    assert not Path(told["directory"]).exists()
