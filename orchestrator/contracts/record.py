"""The base of every record: frozen, closed, comparable."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import Problem


class Record(BaseModel):
    """An immutable value. An unknown key is an error, never ignored; numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ProblemError(ValueError):
    """A validator raises it. Its problems name keys below the record, and no file (`Problem.of_key`)."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.key}: {p.problem}" if p.key else p.problem for p in problems))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise ProblemError if there is any problem."""
    if given := tuple(problems):
        raise ProblemError(*given)
