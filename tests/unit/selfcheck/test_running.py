"""How checks are run: order, limits, and what becomes of one that hangs, fails, dies or is not reached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from workers.selfcheck.results import (
    Check,
    CheckProblemError,
    CheckResult,
    CheckVerdict,
    LeftOutError,
    Machine,
    Reading,
    Results,
)
from workers.selfcheck.running import last_words, run_checks
from workers.selfcheck.workspace import Workspace


def check(number: str, run: Callable[[Workspace], Sequence[Reading]], **fields: object) -> Check:
    words = {"name": f"check {number}", "claim": "It works.", "criterion": "it does", "seconds": 60.0}
    return Check(**{"number": number, "run": run, **words, **fields})  # type: ignore[arg-type]


def passes(workspace: Workspace) -> list[Reading]:
    return [Reading(name="difference", value=0.5, limit="at most 1")]


def beyond_its_limit(workspace: Workspace) -> list[Reading]:
    return [Reading(name="difference", value=2.0, limit="at most 1", passed=False, fix="lower it")]


def hangs(workspace: Workspace) -> list[Reading]:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    threading.Event().wait()
    raise AssertionError


def raises(workspace: Workspace) -> list[Reading]:
    raise ValueError("/home/someone/secret")


def dies(workspace: Workspace) -> list[Reading]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def has_a_problem(workspace: Workspace) -> list[Reading]:
    raise CheckProblemError("the driver is too old", "install a newer one")


def does_not_apply(workspace: Workspace) -> list[Reading]:
    raise LeftOutError("not built")


def results_of(tmp_path: Path, *checks: Check, rehearsal: bool = False, **fields: object) -> Results:
    workspace = Workspace(tmp_path, rehearsal)
    return run_checks(checks, workspace, Machine(gpu="Fake GPU"), **fields)  # type: ignore[arg-type]


def result_of(tmp_path: Path, run: Callable[[Workspace], Sequence[Reading]], **fields: object) -> CheckResult:
    [found] = results_of(tmp_path, check("1", run, **fields)).checks
    return found


def test_a_check_whose_figures_keep_their_limits_passes(tmp_path):
    found = result_of(tmp_path, passes)
    assert (found.verdict, found.figures[0].value) == (CheckVerdict.PASSED, 0.5)


def test_a_figure_beyond_its_limit_fails_the_check_and_names_the_fix(tmp_path):
    found = result_of(tmp_path, beyond_its_limit)
    assert (found.verdict, found.figures[0].fix) == (CheckVerdict.FAILED, "lower it")


def test_a_check_that_hangs_is_ended_at_its_limit_and_the_next_one_runs(tmp_path):
    hung, after = results_of(tmp_path, check("1", hangs, seconds=0.2), check("2", passes)).checks
    assert hung.verdict is CheckVerdict.TIMED_OUT
    assert after.verdict is CheckVerdict.PASSED


def test_an_error_leaves_its_class_and_place_in_the_result_and_its_text_on_the_screen(tmp_path):
    found = result_of(tmp_path, raises)
    assert (found.verdict, found.problem) == (CheckVerdict.FAILED, "ValueError")
    assert "raises" in found.places[-1]
    assert "secret" not in found.model_dump_json()
    assert "secret" in last_words(Workspace(tmp_path, False), found)


def test_a_check_whose_process_dies_fails_and_the_next_one_runs(tmp_path):
    died, after = results_of(tmp_path, check("1", dies), check("2", passes)).checks
    assert (died.verdict, died.problem) == (CheckVerdict.FAILED, "its process ended with signal 9")
    assert after.verdict is CheckVerdict.PASSED


def test_a_problem_is_told_with_its_fix(tmp_path):
    found = result_of(tmp_path, has_a_problem)
    assert (found.problem, found.fix) == ("the driver is too old", "install a newer one")


def test_required_checks_run_before_the_others(tmp_path):
    checks = [check("1", passes, required=False), check("2", passes), check("3", passes)]
    found = results_of(tmp_path, *checks)
    assert [result.number for result in found.checks] == ["2", "3", "1"]


def test_a_required_check_that_was_not_reached_counts_as_broken(tmp_path):
    times = iter([0.0, 0.0, 539.0, 541.0, 541.0])
    checks = [check("1", passes), check("2", passes), check("3", passes)]
    found = results_of(tmp_path, *checks, clock=lambda: next(times))
    assert [result.verdict for result in found.checks] == [
        CheckVerdict.PASSED,
        CheckVerdict.PASSED,
        CheckVerdict.NOT_REACHED,
    ]
    assert [result.number for result in found.broken] == ["3"]


def test_with_fewer_minutes_the_optional_checks_are_left_out(tmp_path):
    found = results_of(tmp_path, check("1", passes), check("2", passes, required=False), minutes=4)
    assert [result.verdict for result in found.checks] == [CheckVerdict.PASSED, CheckVerdict.LEFT_OUT]
    assert found.broken == ()


def test_a_rehearsal_leaves_out_what_needs_a_gpu_and_reaches_the_last_check(tmp_path):
    checks = [check("1", passes), check("2", passes, needs_gpu=False), check("3", does_not_apply)]
    checks.append(check("4", passes, needs_gpu=False))
    found = results_of(tmp_path, *checks, rehearsal=True)
    assert [result.problem for result in found.checks] == ["needs a GPU", None, "needs a GPU", None]
    assert found.checks[-1].verdict is CheckVerdict.PASSED
    assert found.broken == ()


def test_on_a_gpu_a_required_check_that_leaves_itself_out_counts_as_broken(tmp_path):
    checks = [check("1", does_not_apply), check("2", does_not_apply, required=False)]
    assert [result.number for result in results_of(tmp_path, *checks).broken] == ["1"]


@pytest.mark.parametrize("rehearsal", [False, True])
def test_a_failure_counts_as_broken(tmp_path, rehearsal):
    checks = [check("1", raises, needs_gpu=False), check("2", raises, needs_gpu=False, required=False)]
    found = results_of(tmp_path, *checks, rehearsal=rehearsal)
    assert [result.number for result in found.broken] == ["1"]
