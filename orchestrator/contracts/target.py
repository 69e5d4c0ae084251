"""What the user of a sweep calls good enough."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, model_validator

from orchestrator.contracts.record import ProblemError, Record
from orchestrator.errors import Problem


class Target(Record):
    """Good enough is a quality that is at most `within` below the best, or one of `at_least`. Both are in
    units of the metric: of a share 0.01 is one point."""

    within: PositiveFloat | None = Field(None, description="good enough is at most this far below the best")
    at_least: float | None = Field(None, ge=0, le=1, description="good enough is at least this quality")

    @model_validator(mode="after")
    def _one(self) -> Target:
        _refuse_both(self.within, self.at_least)
        if self.within is None and self.at_least is None:
            raise ProblemError(
                Problem.of_key("", "expected within or at_least, got neither", "set within: 0.01")
            )
        return self


def _refuse_both(within: float | None, at_least: float | None) -> None:
    if within is not None and at_least is not None:
        problem = f"expected one of them, got within: {within:g} and at_least: {at_least:g}"
        raise ProblemError(Problem.of_key("", problem, "remove one (on the command line: set it to null)"))


NEAR = Target(within=0.01)


class SweepTarget(Record):
    """That of the sweep, and of the tasks that have another one."""

    within: PositiveFloat | None = Field(None, description="good enough is at most this far below the best")
    at_least: float | None = Field(None, ge=0, le=1, description="good enough is at least this quality")
    tasks: dict[str, Target] = Field(default_factory=dict, description="targets of single tasks, by name")

    @model_validator(mode="after")
    def _one(self) -> SweepTarget:
        _refuse_both(self.within, self.at_least)
        return self

    def of(self, task: str) -> Target:
        return self.tasks.get(task) or self._own()

    def names(self, task: str) -> bool:
        """Return whether the target is set for this task, and not left to the default."""
        return task in self.tasks or self._own() is not NEAR

    def _own(self) -> Target:
        if self.within is None and self.at_least is None:
            return NEAR
        return Target(within=self.within, at_least=self.at_least)
