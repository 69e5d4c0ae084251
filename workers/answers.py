"""Standard output for answers alone."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def answer_stream() -> TextIO:
    """Where a process writes what it was asked for. From now on, whatever a library prints goes to standard
    error: DeepSpeed, for one, greets on standard output when it is imported."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers
