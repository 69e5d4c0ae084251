"""How children are started so that they run our code, and never what lies in the user's working directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module; `-P` keeps the working directory off its path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def safe_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child that starts Pythons of its own.

    Folders that the user put on PYTHONPATH stay on it; an empty entry, which is the working directory, goes.
    """
    safe = {**environment, "PYTHONSAFEPATH": "1"}
    folders = [folder for folder in safe.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", ".")]
    safe.pop("PYTHONPATH", None)
    return safe | ({"PYTHONPATH": os.pathsep.join(folders)} if folders else {})
