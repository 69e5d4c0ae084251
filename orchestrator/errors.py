"""One tree of errors. A user's mistake is never a traceback.

Every message says what is wrong, where (file and key, or trial name), what was got and what to do. None of
them ever carries a token of the data: they may be printed, logged and stored.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


def printable(text: str) -> str:
    """Return the text with its control characters spelt out: a terminal would obey them."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


class ExitCode(IntEnum):
    """What `frontier` exits with."""

    DONE = 0
    TRIALS_FAILED = 1
    WRONG_INPUT = 2  # or a forecast beyond the budget
    NOT_STARTED = 3  # no such cluster, not enough devices
    BUDGET_SPENT = 4  # and trials are left
    STORE_UNAVAILABLE = 5  # MLflow or the storage is out of reach or full; the same command continues later
    HELD = 6  # another driver runs the sweep; the same command may continue later
    BUG = 70  # in Frontier; EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130


class FrontierError(Exception):
    """The root. `exit_code` is what the command line exits with."""

    exit_code = ExitCode.BUG


@dataclass(frozen=True)
class Problem:
    """One mistake in the input: where it is, what is wrong, what was read, and the fix."""

    where: str  # a file, the command line or a trial; "" until the caller of a validator fills it in
    key: str  # dotted key inside it, "" for the whole
    problem: str  # what is wrong, including the value that was read
    fix: str  # what to do about it
    line: int | None = None  # of the file, from 1, if known
    column: int | None = None

    @classmethod
    def of_key(cls, key: str, problem: str, fix: str) -> Problem:
        """Return a problem of a value whose file the caller adds: a validator sees no file."""
        return cls("", key, problem, fix)

    def __str__(self) -> str:
        numbers = ("line", self.line), ("column", self.column)
        location = ", ".join([self.where, *(f"{name} {number}" for name, number in numbers if number)])
        location = f"{location}: {self.key}" if self.key else location
        return f"{printable(f'{location}: {self.problem}')}\n    -> {printable(self.fix)}"


class ConfigError(FrontierError):
    """The user's input is wrong. Carries all problems, never only the first."""

    exit_code = ExitCode.WRONG_INPUT

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("a ConfigError needs at least one problem")
        self.problems = tuple(problems)
        count = len(self.problems)
        title = "1 mistake" if count == 1 else f"{count} mistakes"
        super().__init__(f"{title} in the input:\n" + "\n".join(f"  {problem}" for problem in self.problems))


class DataError(FrontierError):
    """A data file cannot be read as its format. Names file, line and kind of fault; never quotes the text."""

    exit_code = ExitCode.WRONG_INPUT

    def __init__(self, file: str, line: int | None, fault: str, fix: str) -> None:
        self.file, self.line, self.fault, self.fix = file, line, fault, fix
        location = file if line is None else f"{file}, line {line}"
        super().__init__(f"{location}: {fault}\n    -> {fix}")


_MOST_LINES, _MOST_FAULTS = 10, 10  # that one message names


class MalformedError(DataError):
    """Several records of data files are malformed. `file`, `line`, `fault` and `fix` are of the first one."""

    def __init__(self, first: DataError, message: str) -> None:
        super().__init__(first.file, first.line, first.fault, first.fix)
        self.args = (message,)


def malformed(errors: Sequence[DataError]) -> DataError:
    """Return one error with a message for each kind of fault in a file: the lines of the first ten records,
    and how many more there are. There is at least one."""
    by_fault: dict[tuple[str, str, str], list[DataError]] = {}
    for error in sorted(errors, key=lambda each: (each.file, each.line or 0)):
        by_fault.setdefault((error.file, error.fault, error.fix), []).append(error)
    groups = list(by_fault.values())
    if len(errors) == 1:
        return errors[0]
    messages = [_malformed(group) for group in groups[:_MOST_FAULTS]]
    if left := groups[_MOST_FAULTS:]:
        messages.append(f"{sum(map(len, left))} more records: other faults\n    -> correct those above first")
    return MalformedError(groups[0][0], "\n".join(messages))


def _malformed(group: Sequence[DataError]) -> str:
    """Return the message of records of one file with the same fault, in the order of their lines."""
    first, lines = group[0], [str(error.line) for error in group if error.line is not None]
    if len(lines) < 2:
        return str(first)
    more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    named = ", ".join(lines[:_MOST_LINES]) if more else f"{', '.join(lines[:-1])} and {lines[-1]}"
    return f"{first.file}, lines {named}{more}: {first.fault}\n    -> {first.fix}"


class WeightsError(FrontierError):
    """A backbone cannot be loaded as its entry says (missing file, wrong count, no target matched)."""

    exit_code = ExitCode.WRONG_INPUT


class InputError(FrontierError):
    """A process of the worker rejects its input; the message is that process's own."""

    exit_code = ExitCode.WRONG_INPUT


class LedgerError(FrontierError):
    """The records of a sweep are missing or unreadable."""

    exit_code = ExitCode.WRONG_INPUT


class HeldError(LedgerError):
    """Another driver runs the sweep, or has taken it over: nothing is wrong with the input, and the
    same command may continue later."""

    exit_code = ExitCode.HELD


class TrackingError(FrontierError):
    """The MLflow store cannot be reached or written. The ledger is complete all the same."""

    exit_code = ExitCode.STORE_UNAVAILABLE


class LaunchError(FrontierError):
    """The trials cannot be started (no such cluster, not enough devices)."""

    exit_code = ExitCode.NOT_STARTED


class OverBudgetError(FrontierError):
    """The forecast of a sweep is beyond its budget. Says both, and the cheapest options."""

    exit_code = ExitCode.WRONG_INPUT


class StorageError(LaunchError):
    """The object store of a sweep cannot be reached, or refuses. What was to be stored is still here."""

    exit_code = ExitCode.STORE_UNAVAILABLE


class InterruptedSweepError(FrontierError):
    """The user stopped the sweep. The records are intact."""

    exit_code = ExitCode.INTERRUPTED


def did_you_mean(got: str, known_names: Iterable[str]) -> str:
    """Return the fix for an unknown name: the only known one that begins with it, else the closest known one,
    else the list (at most 12 of it)."""
    names = sorted(set(known_names))
    close = [name for name in names if got and name.startswith(got)]
    if len(close) != 1:
        close = difflib.get_close_matches(got, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "nothing is defined there yet"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"use one of: {shown}"
