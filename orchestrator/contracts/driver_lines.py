"""The lines of a driver's log that report its progress. They are shown to a user who follows a sweep in a
cluster."""

from __future__ import annotations

import re

STAGING = "staging: "  # how a line begins before there are trials to count
_COUNTS = re.compile(r"\d+/\d+ done, \d+ running")


def last_progress(log: str) -> str | None:
    """Return the newest of them; None before the first."""
    lines = (line.strip() for line in reversed(log.splitlines()))
    return next((line for line in lines if line.startswith(STAGING) or _COUNTS.search(line)), None)
