"""Ask what a file does not say: on a terminal one question after another, else all at once as mistakes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence

import typer

from orchestrator.cli.init.columns import Answer, Question
from orchestrator.config.overrides import WHERE
from orchestrator.errors import ConfigError, Problem, did_you_mean

GIVEN = "as you said"
_MOST = 12  # names in a list


class Asking:
    """Settle questions by flags, guesses and answers on a terminal, and collect what stays open."""

    def __init__(self, prompt: Callable[[Question], str] | None) -> None:
        self._prompt = prompt
        self._open: list[Question] = []
        self._wrong: list[Problem] = []

    def settle(self, suggestion: Answer | Question) -> Answer:
        """Return the answer; one that is open has no value until `end` raises."""
        if isinstance(suggestion, Answer):
            return suggestion
        if self._prompt is None:
            self._open.append(suggestion)
            return Answer(None, "")
        return Answer(self._prompt(suggestion), GIVEN)

    def assumed(self, question: Question) -> Answer:
        """Return the answer to a question that has a usual one, which is taken without a terminal."""
        if self._prompt is None:
            return Answer(question.default, f"assumed; {question.flag} says otherwise")
        return Answer(self._prompt(question), GIVEN)

    def given(self, flag: str, value: str, choices: tuple[str, ...]) -> Answer:
        """Return the answer of a flag, and note a problem if it is none of the choices."""
        if value not in choices:
            problem = f"unknown value, got {value!r}"
            self._wrong.append(Problem(WHERE, flag, problem, did_you_mean(value, choices)))
        return Answer(value, GIVEN)

    def refuse(self, flag: str, problem: str, fix: str) -> None:
        self._wrong.append(Problem(WHERE, flag, problem, fix))

    def end(self) -> None:
        """Raise ConfigError with every wrong flag and every open question."""
        problems = list(self._wrong)
        for question in self._open:
            fix = question.fix or _fix(question)
            problems.append(Problem(WHERE, question.flag, f"{question.ask} {question.why}", fix))
        if problems:
            raise ConfigError(problems)


def on_terminal() -> Callable[[Question], str] | None:
    """Return what asks a person, None without a terminal."""
    return _prompted if sys.stdin.isatty() and sys.stdout.isatty() else None


def _prompted(question: Question) -> str:
    typer.echo(
        f"\n{question.ask}" + (f" {question.why[:1].upper()}{question.why[1:]}." if question.why else "")
    )
    if question.choices:
        typer.echo("  " + ", ".join(question.choices))
    if question.others:
        typer.echo(f"  or another column: {_listed(question.others)}")
    while True:
        answer = str(typer.prompt(f"  {question.flag}", default=question.default)).strip()
        if question.is_share and not _is_share(answer):
            typer.echo("  expected a number from 0 to 1, say 0.02")
        elif question.choices and answer not in (*question.choices, *question.others):
            typer.echo(f"  unknown value: {did_you_mean(answer, (*question.choices, *question.others))}")
        else:
            return answer


def _fix(question: Question) -> str:
    """Return the options that answer it, ready for a shell."""
    if not question.choices:
        of = f", one of the columns {_listed(question.others)}" if question.others else ""
        return f"add {question.flag} VALUE{of}"
    options = [f"{question.flag} {shlex.quote(choice)}" for choice in question.choices[:_MOST]]
    fix = "add " + ", or ".join(options)
    return f"{fix}; or another column: {_listed(question.others)}" if question.others else fix


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shlex.quote, names[:_MOST])) + (", …" if len(names) > _MOST else "")


def _is_share(answer: str) -> bool:
    try:
        return 0 <= float(answer) <= 1
    except ValueError:
        return False
