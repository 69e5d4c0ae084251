"""How a sweep in a cluster ended, in words and as an exit code: those of `frontier run`."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.contracts.verdict import Verdict
from orchestrator.units import quantity

_SOME_FAILED = 1  # as the records say, where no verdict was left
_AGAIN = "    -> the same submission tries them again"


def tell_verdict(verdict: Verdict | None, failed: int | None, say: Callable[[str], None]) -> int:
    """Say it, and return the exit code. `failed`: trials that failed by the records, where those can be read;
    they were shown with them."""
    if verdict is None:
        return _told_by_records(failed, say)
    if verdict.failed or verdict.not_run:
        reasons = [f"{reason.kind}: {reason.message}" for reason in verdict.reasons] if failed is None else []
        head = f"{verdict.failed} of {quantity(verdict.trials, 'trial')} failed"
        if verdict.failed:
            say(f"{head}: {reasons[0]}" if len(reasons) == 1 else head)
        if len(reasons) > 1:
            for reason, text in zip(verdict.reasons, reasons, strict=True):
                say(f"  {quantity(reason.trials, 'trial')}: {text}")
        for cell in verdict.not_run:
            say(f"not run: {cell}")
        say(_AGAIN)
        return verdict.exit_code
    say(f"{verdict.finished} of {quantity(verdict.trials, 'trial')} finished")
    if verdict.held:
        say("the budget is spent, and trials are left\n    -> raise `budget` and submit the sweep again")
    return verdict.exit_code


def _told_by_records(failed: int | None, say: Callable[[str], None]) -> int:
    if failed is None:
        say(
            "how the trials ended is not known here: no log of the driver says it\n"
            "    -> look at the report; an image of this version of Frontier says it"
        )
        return 0
    if failed:
        say(f"{quantity(failed, 'trial')} failed\n{_AGAIN}")
        return _SOME_FAILED
    return 0
