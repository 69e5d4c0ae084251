"""How processes start so that they run our code, and never what is in the user's working directory."""

# Imported before the path is safe: only modules that Python itself has loaded, so no __future__ either.
import os
import sys
from _collections_abc import Mapping, Sequence

_INSTALLED = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module; `-P` keeps the working directory off its path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def safe_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child that starts Pythons of its own.

    Folders that the user put on PYTHONPATH stay on it; an entry that means the working directory (an empty
    one, `.`, `./`, `folder/..`) goes.
    """
    safe = {**environment, "PYTHONSAFEPATH": "1"}
    folders = [folder for folder in safe.get("PYTHONPATH", "").split(os.pathsep) if not _is_here(folder)]
    safe.pop("PYTHONPATH", None)
    return safe | ({"PYTHONPATH": os.pathsep.join(folders)} if folders else {})


def safe_path(path: Sequence[str], python_path: str) -> list[str]:
    """Return `sys.path` without the working directory, which Python has made absolute where an entry of
    PYTHONPATH means it. What an absolute entry names stays, and so does the folder of this package."""
    entries = python_path.split(os.pathsep) if python_path else []
    kept = {os.path.abspath(folder) for folder in entries if not _is_here(folder)} | {_INSTALLED}
    here = {os.path.abspath(folder) for folder in entries if _is_here(folder)} - kept
    return [folder for folder in path if folder not in here and not _is_here(folder)]


def _is_here(folder: str) -> bool:
    return not os.path.isabs(folder) and os.path.realpath(folder) == os.path.realpath(os.curdir)
