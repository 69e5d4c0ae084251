"""`frontier doctor --gpu`: the checks of `workers.selfcheck` that take a minute."""

from __future__ import annotations

import os
import subprocess

from orchestrator.contracts.child_processes import python_module, safe_environment


def check_gpu() -> int:
    """Run them in a process of their own, which prints what they find; return its exit code."""
    command = python_module("workers.selfcheck", "--doctor")
    return subprocess.run(command, env=safe_environment(os.environ), check=False).returncode
