"""Write the answers of a worker process: JSON lines without the message of any foreign exception."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TextIO, TypeVar

from pydantic import ValidationError

from orchestrator.contracts.code_places import code_places
from orchestrator.contracts.debugging import shows_words
from orchestrator.contracts.garbage import collect_none_at_exit
from orchestrator.contracts.no_room import no_room
from orchestrator.contracts.record import Record
from orchestrator.errors import ExitCode

Request = TypeVar("Request", bound=Record)


def answer_stream() -> TextIO:
    """Return the stream for the answers. From now on everything that a library prints goes to standard error:
    DeepSpeed, for one, prints to standard output when it is imported."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def answer(work: Callable[[], Iterable[Mapping[str, Any]]]) -> int:
    """Write each answer of `work` as a JSON line and return the exit code: 2 where one of them is an "error".

    Any exception, including a panic of a library in Rust, may quote a text. The last line is then {"defect":
    name of its class and the system's reason, "places": where in the code}, and the exit code 70. Where a
    write found no room, which is no defect, it is {"no_room": the system's number of the error}, and 5.
    """
    collect_none_at_exit()
    answers, code = answer_stream(), 0
    try:
        for line in work():
            code = 2 if "error" in line else code
            answers.write(json.dumps(line) + "\n")
            answers.flush()
    except BaseException as error:
        code, line = ExitCode.BUG, {"defect": _name(error), "places": code_places(error)}
        if (number := no_room(error)) is not None:
            code, line = ExitCode.STORE_UNAVAILABLE, {"no_room": number}
        answers.write(json.dumps(line) + "\n")
        if shows_words():
            traceback.print_exc()
    answers.close()
    return code


def answer_request(kind: type[Request], work: Callable[[Request], Iterable[Mapping[str, Any]]]) -> int:
    """`answer` the request on standard input with `work`; one that is not of that kind with an "error"."""

    def answers() -> Iterator[Mapping[str, Any]]:
        try:
            request = kind.model_validate_json(sys.stdin.read())
        except ValidationError as error:
            yield {"error": str(error)}
        else:
            yield from work(request)

    return answer(answers)


def _name(error: BaseException) -> str:
    """Return the class with the system's reason, which quotes nothing: `OSError (No space left on
    device)`."""
    name = type(error).__qualname__
    number = error.errno if isinstance(error, OSError) else None
    return name if number is None else f"{name} ({os.strerror(number)})"
