"""What a child process says of an error that nobody foresaw."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CHILD = """
import errno, os, sys
from workers.runtime.answers import answer

def work():
    yield {"fine": 1}
    raise %s

sys.exit(answer(work))
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("OSError(errno.ENOSPC, 'a sentence', 'of a note')", "OSError (No space left on device)"),
        ("PermissionError(errno.EACCES, 'a sentence')", "PermissionError (Permission denied)"),
        ("OSError('a sentence of a note')", "OSError"),
        ("ValueError('a sentence of a note')", "ValueError"),
        ("KeyboardInterrupt('a sentence of a note')", "KeyboardInterrupt"),
    ],
)
def test_the_reason_of_the_system_is_said_and_no_word_of_the_error(error: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD % error], capture_output=True, text=True)
    first, last = map(json.loads, done.stdout.splitlines())
    assert first == {"fine": 1}
    assert last["defect"] == said
    assert done.returncode == 70
    assert "sentence" not in done.stdout + done.stderr
