"""Defects in the place of a reader's, for processes that start with this folder on PYTHONPATH.

A row whose text says `act=NAME` does what the function of that name does, with the text in its hands: what a
careless library might do. `FRONTIER_CANARIES` names the modules whose processes do it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings


class PanicException(BaseException):
    """As pyo3 raises it for a panic of a library in Rust."""


def exception(text: str) -> None:
    error = ValueError(f"could not convert string to float: {text!r}", text)
    error.add_note(text)
    raise error from KeyError(text)


def panic(text: str) -> None:
    os.write(2, f"thread '<unnamed>' panicked at src/lib.rs: {text}\n".encode())
    raise PanicException(text)


def group(text: str) -> None:
    raise ExceptionGroup(text, [ValueError(text), OSError(5, text, text)])


def leave(text: str) -> None:
    sys.exit(text)


def prints(text: str) -> None:
    print(text)
    print(text, file=sys.stderr)
    os.write(1, text.encode())
    os.write(2, text.encode())
    warnings.warn(text, stacklevel=1)
    thread = threading.Thread(target=exception, args=(text,), name=text)
    thread.start()
    thread.join()


def prints_and_fails(text: str) -> None:
    prints(text)
    raise RuntimeError(text)


def memory(text: str) -> None:
    raise MemoryError(text)


def disk(text: str) -> None:
    raise OSError(28, "No space left on device", text)


def crash(text: str) -> None:
    prints(text)
    os.kill(os.getpid(), signal.SIGSEGV)


def abort(text: str) -> None:
    prints(text)
    os.abort()


def kill(text: str) -> None:
    prints(text)
    os.kill(os.getpid(), signal.SIGKILL)


def hang(text: str) -> None:
    prints(text)
    while True:
        time.sleep(60)


ACTS = (exception, panic, group, leave, prints, prints_and_fails, memory, disk, crash, abort, kill, hang)


def _plant() -> None:
    from workers.data.readers import tables

    genuine = tables.Text

    def planted(text: str, *rest: str | None) -> object:
        for act in ACTS:
            if f"act={act.__name__} " in text:
                act(text)
        return genuine(text, *rest)  # type: ignore[arg-type]

    tables.Text = planted  # type: ignore[assignment, misc]


if set(os.environ.get("FRONTIER_CANARIES", "").split()) & set(sys.orig_argv):
    _plant()
