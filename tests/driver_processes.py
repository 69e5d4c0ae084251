"""Which processes a driver has started: its descendants, and those that are on their own, such as the fork
server of its slots and the attempts."""

from __future__ import annotations

import subprocess
import uuid
from contextlib import suppress
from typing import Any

import psutil

_NAME = "FRONTIER_TEST_DRIVER"


def marked() -> dict[str, str]:
    """Return what the environment of a driver must have for `started_by`."""
    return {_NAME: str(uuid.uuid4())}


def started_by(driver: subprocess.Popen[Any]) -> list[psutil.Process]:
    """Return what a `marked` driver has started. Raises ProcessLookupError where it has ended."""
    if driver.poll() is not None:
        raise ProcessLookupError(f"the driver has ended with exit code {driver.returncode}")
    process = psutil.Process(driver.pid)
    mark = _mark(process)
    if mark is None:  # it is about to begin: Popen returns a moment before the kernel shows its environment
        return []
    alone = (other for other in psutil.process_iter() if _mark(other) == mark)
    return list({*process.children(recursive=True), *alone} - {process})


def _mark(process: psutil.Process) -> str | None:
    with suppress(psutil.Error):
        return process.environ().get(_NAME)
    return None
