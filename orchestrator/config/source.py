"""Where a key of a sweep was set, which is where a problem with it points."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.errors import Problem


@dataclass(frozen=True)
class KeySource:
    """Where a key was set: in the file, or on the command line."""

    file: str
    overridden: frozenset[str]
    methods: tuple[int | None, ...] = ()  # of each item the file's that it is, if it was selected by name
    names: tuple[str, ...] = ()  # by which the file's methods can be selected

    def placed(self, problem: Problem) -> Problem:
        """Return the problem of a selected method at its index in the file."""
        parts = problem.key.split(".")
        if parts[0] != "methods" or len(parts) == 1 or not parts[1].isdigit():
            return problem
        at = int(parts[1])
        item = self.methods[at] if at < len(self.methods) else None
        if item is None:
            return problem
        return replace(problem, where=self.file, key=".".join(["methods", str(item), *parts[2:]]))

    def of(self, key: str) -> str:
        parts = key.split(".")
        dotted = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
        return "command line" if dotted & self.overridden else self.file
