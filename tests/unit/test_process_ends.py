"""The end of a process is told by a descriptor, whatever Linux Python was built on."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest
from workshop import PATIENCE

from workers.runtime.process_ends import open_process

BEYOND = 2**22 + 1  # no process has this number


@pytest.fixture(params=["has the function", "was built on an older Linux"])
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if "older" in request.param:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    return str(request.param)


def test_a_descriptor_tells_the_end_of_its_process(python: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    with os.fdopen(open_process(child.pid)) as end:
        assert select.select([end], [], [], 0)[0] == []
        assert not os.get_inheritable(end.fileno())
        child.stdin.close()
        assert select.select([end], [], [], PATIENCE)[0] == [end]
    child.wait()


def test_there_is_none_of_a_process_that_is_not_there(python: str) -> None:
    with pytest.raises(ProcessLookupError):
        open_process(BEYOND)
