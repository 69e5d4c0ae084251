"""What the operating system must be: Linux where trials run, and no Windows."""

from __future__ import annotations

import os
from platform import release, system

from orchestrator.errors import LaunchError
from workers.runtime.system_calls import open_process

_FIX = "use a Linux machine, virtual machine or container (on Windows WSL 2)"


def refuse_windows() -> None:
    """Raise LaunchError on Windows, which has no file locks and process limits as commands use them."""
    if system() == "Windows":
        raise LaunchError(f"Frontier does not run on Windows itself\n    -> {_FIX}")


def refuse_other_than_linux() -> None:
    """Raise LaunchError where trials cannot run: only on Linux does an attempt end with the process that
    started it, and only since 5.3 is that process told of its end."""
    if (name := system()) != "Linux":
        here = "macOS" if name == "Darwin" else name
        raise LaunchError(
            f"trials run on Linux only, and this is {here}\n    -> {_FIX}, or a cluster (`frontier submit`)"
        )
    try:
        os.close(open_process(os.getpid()))
    except OSError as error:
        raise LaunchError(
            f"trials need the system call pidfd_open, which Linux has since 5.3; this is {release()} "
            f"({error.strerror})\n    -> use a newer kernel, or a container that permits the call"
        ) from None
