"""The base of everything that is written down: frozen, closed, comparable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value. An unknown key is an error, never ignored; numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Misfit:
    """A value that is well formed and yet wrong, as another key contradicts it."""

    key: str  # dotted, below the record that is checked; "" for the record itself
    problem: str  # what is wrong, and what was got
    fix: str


class MisfitError(ValueError):
    """What a validator raises, so that a complaint can name key and remedy of each misfit."""

    def __init__(self, *misfits: Misfit) -> None:
        self.misfits = misfits
        super().__init__("; ".join(f"{m.key}: {m.problem}" if m.key else m.problem for m in misfits))


def refuse(misfits: Iterable[Misfit]) -> None:
    """Raises MisfitError if there are any."""
    if found := tuple(misfits):
        raise MisfitError(*found)
