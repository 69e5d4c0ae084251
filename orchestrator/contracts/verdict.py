"""How a run ended, as the last line of its log: read where its records are out of reach."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from pydantic import NonNegativeInt, PositiveInt, ValidationError

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import ExitCode

_BEFORE = "frontier-verdict: "
MOST_REASONS = 5
_LONGEST = 400  # characters of a message


class Reason(Record):
    """Why trials failed, as their outcomes say it."""

    kind: FailureKind
    message: str
    trials: PositiveInt


class Verdict(Record):
    trials: NonNegativeInt  # of the sweep
    finished: NonNegativeInt
    failed: NonNegativeInt  # in this run
    not_run: tuple[str, ...] = ()  # cells whose search found no settings, each with the reason
    held: bool = False  # whether trials were held back, as the budget was spent
    reasons: tuple[Reason, ...] = ()  # the commonest first
    unpublished: str | None = None  # why MLflow lacks runs
    unlogged: str | None = None  # why it lacks models of `log_models`, though it has the runs

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of `frontier run`."""
        if self.failed or self.not_run:
            return ExitCode.TRIALS_FAILED
        return ExitCode.BUDGET_SPENT if self.held else ExitCode.DONE

    @property
    def line(self) -> str:
        content = self.model_dump(mode="json", exclude_defaults=True)
        return f"{_BEFORE}{json.dumps(content, separators=(',', ':'))}"


def commonest_reasons(failures: Iterable[tuple[FailureKind, str]]) -> tuple[Reason, ...]:
    """Return the commonest kinds and messages, with the number of trials."""
    counted = Counter((kind, message[:_LONGEST]) for kind, message in failures)
    return tuple(
        Reason(kind=kind, message=message, trials=count)
        for (kind, message), count in counted.most_common(MOST_REASONS)
    )


def last_verdict(log: str) -> Verdict | None:
    """Return the newest verdict of a log; None where no run has left one, or one of another version."""
    for line in reversed(log.splitlines()):
        if line.lstrip().startswith(_BEFORE):
            try:
                return Verdict.model_validate_json(line.lstrip().removeprefix(_BEFORE))
            except ValidationError:
                return None
    return None
