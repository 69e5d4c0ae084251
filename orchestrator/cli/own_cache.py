"""The account's own cache. A file of its own, because every command asks for it and most need little else."""

from __future__ import annotations

import os
from pathlib import Path


def own_cache() -> Path:
    """Return the directory for what must not be in shared storage."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "frontier"
