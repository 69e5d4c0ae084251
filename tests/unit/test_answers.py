"""What a child process says of an error that nobody foresaw."""

from __future__ import annotations

import errno
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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_write_without_room_is_no_defect(number: int) -> None:
    raised = f"OSError({number}, 'a sentence', 'of a note')"
    done = subprocess.run([sys.executable, "-c", CHILD % raised], capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {"no_room": number}
    assert done.returncode == 5
    assert "sentence" not in done.stdout + done.stderr
