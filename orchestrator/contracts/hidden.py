"""Libraries that another one imports wherever they are installed, and that a process does not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(*modules: str) -> Iterator[None]:
    """Let `modules` pass for not installed, as far as nothing has imported them yet; afterwards they are as
    before."""
    unseen = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(unseen))  # type: ignore[arg-type]  # None: to Python, not installed
    try:
        yield
    finally:
        for module in unseen:
            del sys.modules[module]
