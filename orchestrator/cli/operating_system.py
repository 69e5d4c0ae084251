"""What the operating system must be: Linux where trials run, and no Windows."""

from __future__ import annotations

from platform import system

from orchestrator.errors import LaunchError

_FIX = "use a Linux machine, virtual machine or container (on Windows WSL 2)"


def refuse_windows() -> None:
    """Raise LaunchError on Windows, which has no file locks and process limits as commands use them."""
    if system() == "Windows":
        raise LaunchError(f"Frontier does not run on Windows itself\n    -> {_FIX}")


def refuse_other_than_linux() -> None:
    """Raise LaunchError where trials cannot run: only on Linux does an attempt end with the process that
    started it."""
    if (name := system()) != "Linux":
        here = "macOS" if name == "Darwin" else name
        raise LaunchError(
            f"trials run on Linux only, and this is {here}\n    -> {_FIX}, or a cluster (`frontier submit`)"
        )
