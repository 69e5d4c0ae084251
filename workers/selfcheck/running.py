"""Run checks one after another, each in its own process, forked from this one, under a time limit."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.contracts.code_places import code_places
from orchestrator.contracts.files import write_atomically
from workers.selfcheck.forks import fork
from workers.selfcheck.results import (
    Check,
    CheckProblemError,
    CheckResult,
    CheckVerdict,
    LeftOutError,
    Machine,
    Results,
)
from workers.selfcheck.workspace import Workspace

WHOLE_MINUTES = 9.0  # enough for all checks; with fewer only the required ones run
_POLL_SECONDS = 0.02
_REHEARSED_SLOWER = 6.0  # for a shared machine; the limits are for a GPU of one's own
_NO_GPU = "needs a GPU"
_WORDS = "words.txt"  # what a check printed


def run_checks(
    checks: Sequence[Check],
    workspace: Workspace,
    machine: Machine,
    minutes: float = WHOLE_MINUTES,
    notify: Callable[[CheckResult], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Results:
    """Run the required checks in their order, then the others; call `notify` with each result at once.

    No check starts after `minutes`. Without a GPU (a rehearsal) those that need one are skipped.
    """
    began, results = clock(), list[CheckResult]()
    slower = _REHEARSED_SLOWER if workspace.rehearsal else 1.0
    for check in sorted(checks, key=lambda check: not check.required):
        remaining = began + 60 * minutes * slower - clock()
        result = _result_of(check, workspace, min(check.seconds * slower, remaining), minutes < WHOLE_MINUTES)
        results.append(result)
        notify(result)
    return Results(
        machine=machine, rehearsed=workspace.rehearsal, seconds=clock() - began, checks=tuple(results)
    )


def _result_of(check: Check, workspace: Workspace, seconds: float, required_only: bool) -> CheckResult:
    if workspace.rehearsal and check.needs_gpu:
        return _result(check, CheckVerdict.LEFT_OUT, problem=_NO_GPU)
    if required_only and not check.required:
        problem = f"runs with --minutes {WHOLE_MINUTES:g} or more"
        return _result(check, CheckVerdict.LEFT_OUT, problem=problem)
    if seconds <= 0:
        problem = "no time was left"
        return _result(check, CheckVerdict.NOT_REACHED, problem=problem, fix="give more --minutes")
    return run_apart(check, workspace, seconds)


def run_apart(check: Check, workspace: Workspace, seconds: float) -> CheckResult:
    """Run one check in a child process. After `seconds` it is killed with all processes that it started."""
    folder = workspace.of_check(check.number)
    began = time.monotonic()
    child = fork(partial(_carry_out, check, workspace, folder))
    code = _wait(child, began + seconds)
    seconds_taken = time.monotonic() - began
    with suppress(ProcessLookupError, PermissionError):  # end its children, too
        os.killpg(child, signal.SIGKILL)
    if code is None:
        problem = f"it was ended after {seconds:.0f} seconds"
        return _result(check, CheckVerdict.TIMED_OUT, problem=problem, seconds=seconds_taken)
    try:
        result = CheckResult.model_validate_json((folder / "result.json").read_bytes())
    except (OSError, ValidationError):
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        result = _result(check, CheckVerdict.FAILED, problem=f"its process ended with {how}")
    return result.model_copy(update={"seconds": seconds_taken})


def last_words(workspace: Workspace, check: CheckResult) -> str:
    """Return the last lines that a check printed, foreign messages included: for the screen only."""
    try:
        return (workspace.of_check(check.number) / _WORDS).read_text(errors="replace")[-4000:]
    except OSError:
        return ""


def _wait(child: int, deadline: float) -> int | None:
    """Return the exit code, negative for a signal; None after the deadline, when the child is killed."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(_POLL_SECONDS)


def _carry_out(check: Check, workspace: Workspace, folder: Path) -> None:
    """Run the check and write its result; this is called in the child."""
    os.setpgid(0, 0)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    sys.stdout = sys.stderr = (folder / _WORDS).open("w", buffering=1)
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(sys.stdout.fileno(), 2)
    write_atomically(folder / "result.json", result_here(check, workspace).model_dump_json())


def result_here(check: Check, workspace: Workspace) -> CheckResult:
    """Run a check in this process. The text of a foreign exception goes to stderr, its class into the
    result."""
    try:
        figures = tuple(check.run(workspace))
    except LeftOutError as reason:
        return _result(check, CheckVerdict.LEFT_OUT, problem=str(reason))
    except CheckProblemError as error:
        return _result(check, CheckVerdict.FAILED, problem=error.problem, fix=error.fix)
    except Exception as error:
        traceback.print_exc()
        problem = type(error).__qualname__
        return _result(check, CheckVerdict.FAILED, problem=problem, places=code_places(error))
    verdict = CheckVerdict.PASSED if all(figure.passed for figure in figures) else CheckVerdict.FAILED
    return _result(check, verdict, figures=figures)


def _result(check: Check, verdict: CheckVerdict, **fields: Any) -> CheckResult:
    return CheckResult(
        number=check.number,
        name=check.name,
        claim=check.claim,
        criterion=check.criterion,
        required=check.required,
        verdict=verdict,
        **fields,
    )
