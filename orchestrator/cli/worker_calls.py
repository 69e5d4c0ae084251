"""Questions that only the worker's libraries can answer, asked of a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias

from orchestrator.contracts.child_processes import python_module, safe_environment
from orchestrator.contracts.debugging import shows_words
from orchestrator.contracts.record import Record
from orchestrator.errors import FrontierError, InputError

WorkerAnswer: TypeAlias = dict[str, Any]  # a line of JSON, as the module that is asked says


def ask(module: str, request: Record, *arguments: str) -> Iterator[WorkerAnswer]:
    """Runs `python -m module arguments`, hands it `request`, and yields the JSON lines it answers.

    Raises InputError with the worker's own words where it refuses the request; OSError where it has no room
    to write; FrontierError, without the words of any other exception, where it dies. What its libraries print
    is shown under --debug alone.
    """
    with subprocess.Popen(
        python_module(module, *arguments),
        env=safe_environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if shows_words() else subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(request.model_dump_json())
            process.stdin.close()
        for line in process.stdout:
            answer = json.loads(line)
            if "error" in answer:
                raise InputError(answer["error"])
            if "no_room" in answer:
                raise OSError(answer["no_room"], os.strerror(answer["no_room"]))
            if "defect" in answer:
                raise FrontierError(defect(f"{module} ended by {answer['defect']}", answer["places"]))
            yield answer
        if code := process.wait():
            how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
            raise FrontierError(defect(f"{module} ended by {how}", ()))


def defect(what: str, places: Iterable[str]) -> str:
    """Return the report on a bug without the text of exceptions, which may quote text of patients."""
    where = "".join(f"\n    at {code_place}" for code_place in places)
    return f"{what}{where}\n    -> report these lines; `frontier --debug` shows more, which may quote data"
