"""A crashed worker leaves no copy of its memory."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.contracts.child_processes import safe_environment

CRASH = """
import os
from workers.runtime.attempt import settle_environment
settle_environment(1)
print(open("/proc/self/limits").read(), flush=True)
os.abort()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits are read from /proc")
def test_a_worker_that_crashes_writes_no_core_file(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # as after `ulimit -c unlimited`
    try:
        project = str(Path(__file__).parents[2])
        environment = safe_environment({"PYTHONPATH": project})
        ended = subprocess.run(
            [sys.executable, "-c", CRASH], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    assert ended.returncode == -signal.SIGABRT, ended.stderr
    [limit] = [line.split() for line in ended.stdout.splitlines() if line.startswith("Max core file size")]
    assert limit[4:6] == (["1", "1"] if hard else ["0", "0"])
    assert list(tmp_path.iterdir()) == []
