"""How far staging is, of the items that it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Set

from orchestrator.cli.steps import Steps
from orchestrator.contracts.requests import StagedShare


class StagingPace:
    """How far staging is. The time left is told by the weights, which take the longest, if there are any."""

    def __init__(self, items: Iterable[str], weights: Set[str], what: str) -> None:
        self.steps = Steps()
        self._to_come, self._weights = list(items), weights
        self._items, self._shares = len(self._to_come), dict[str, float]()
        self.steps.begin(what)
        self._tell()

    def hear(self, answer: StagedShare) -> None:
        self._shares[answer.item] = answer.share
        self._tell()

    def ready(self, item: str) -> None:
        self._to_come = [name for name in self._to_come if name != item]
        self._shares[item] = 1.0
        self._tell()

    def _tell(self) -> None:
        paced = self._weights or set(self._to_come) | set(self._shares)
        self.steps.counts = f"{self._items - len(self._to_come)} of {self._items}"
        self.steps.doing = f"to come: {', '.join(self._to_come)}" if self._to_come else ""
        self.steps.at(sum(self._shares.get(name, 0.0) for name in paced), len(paced))
