"""A process that leaves its memory to the operating system."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import atexit
from orchestrator.contracts.garbage import collect_none_at_exit

class Told:
    def __del__(self):
        print("collected", flush=True)

collect_none_at_exit()
atexit.register(print, "done at the exit")
told = Told()
told.itself = told
del told
"""


def test_nothing_is_collected_at_the_exit_and_what_is_registered_is_done() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "done at the exit\n"
