"""System calls answer alike whatever Linux Python was built on."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys

import pytest
from workshop import PATIENCE

from workers.runtime import system_calls
from workers.runtime.system_calls import open_memory, open_process

BEYOND = 2**22 + 1  # no process has this number


@pytest.fixture(params=["has the functions", "was built on an older Linux"])
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if "older" in request.param:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
        monkeypatch.delattr(os, "memfd_create", raising=False)
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


def test_a_file_in_memory_holds_what_is_written_and_is_inherited(python: str) -> None:
    with os.fdopen(open_memory("test"), "r+b") as file:
        assert os.get_inheritable(file.fileno())
        file.write(b"kept")
        file.seek(0)
        assert file.read() == b"kept"


def test_a_c_library_without_a_function_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="not implemented") as raised:
        system_calls._descriptor("no_such_function", 0)
    assert raised.value.errno == errno.ENOSYS
