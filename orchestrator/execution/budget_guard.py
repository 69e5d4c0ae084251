"""How much of its budget a run may still begin. Pure: fed with events, with no clock of its own."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.execution.launcher import (
    AttemptEnded,
    LaunchEvent,
    TrialEnded,
    TrialOrder,
    TrialStarted,
    in_order,
)

_GRAIN = 1e-3  # device-seconds that the clocks of bills may add up to


class Allowance:
    """Holds back new trials once the next one would take more than is left of the budget after what has ended
    and what runs is expected to take. A trial that runs is never stopped for it: half a trial is paid for and
    worth nothing. Trials begin seed by seed, and the first that does not fit holds back all behind it: what
    is left over then goes to the same command with a larger budget, and not to whatever happens to be small.
    """

    def __init__(self, device_hours: float) -> None:
        self._left = device_hours * 3600  # device-seconds
        self._running: dict[str, float] = {}  # expected device-seconds still to come
        self._waiting: dict[str, float] = {}  # expected device-seconds, in the order in which they begin
        self._spent = False
        self.held = False  # whether any trial was held back

    def expect(self, trials: Iterable[TrialOrder]) -> None:
        """Forecast the trials' device-seconds. A trial without a forecast begins while anything is left."""
        self._waiting = {
            trial.name: (trial.forecast_seconds or 0.0) * trial.resources.devices
            for trial in in_order(list(trials))
        }

    def hear(self, event: LaunchEvent) -> None:
        if isinstance(event, TrialStarted):
            self._running[event.name] = self._waiting.pop(event.name, 0.0)
        elif isinstance(event, AttemptEnded):
            billed = event.bill.device_seconds
            self._left -= billed
            if event.name in self._running:
                self._running[event.name] = max(0.0, self._running[event.name] - billed)
        elif isinstance(event, TrialEnded):
            never_began = self._running.pop(event.name, None) is None
            self.held = self.held or (self._spent and never_began)

    def hold(self) -> bool:
        """Return whether no further trial may begin; once true, it stays true."""
        promised = sum(self._running.values())
        following = next(iter(self._waiting.values()), 0.0)
        over = promised >= self._left or promised + following > self._left + _GRAIN
        self._spent = self._spent or over
        return self._spent
