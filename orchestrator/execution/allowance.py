"""How much of its budget a run may still begin. Pure: fed with events, with no clock of its own."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.execution.launcher import AttemptEnded, LaunchEvent, TrialEnded, TrialOrder, TrialStarted


class Allowance:
    """Holds back new trials once what has ended, and what runs is expected to take, uses it up. A trial that
    runs is never stopped for it: half a trial is paid for and worth nothing."""

    def __init__(self, device_hours: float) -> None:
        self._left = device_hours * 3600  # device-seconds
        self._running: dict[str, float] = {}  # expected device-seconds still to come
        self._orders: dict[str, tuple[float, float]] = {}  # expected seconds, devices
        self._spent = False
        self.held = False  # whether any trial was held back

    def expect(self, trials: Iterable[TrialOrder]) -> None:
        for trial in trials:
            self._orders[trial.name] = trial.predicted_seconds or 0.0, trial.resources.devices

    def hear(self, event: LaunchEvent) -> None:
        if isinstance(event, TrialStarted):
            seconds, devices = self._orders.get(event.name, (0.0, 0.0))
            self._running[event.name] = seconds * devices
        elif isinstance(event, AttemptEnded):
            billed = (event.bill.released_at - event.bill.allocated_at) * event.bill.devices
            self._left -= billed
            if event.name in self._running:
                self._running[event.name] = max(0.0, self._running[event.name] - billed)
        elif isinstance(event, TrialEnded):
            never_began = self._running.pop(event.name, None) is None
            self.held = self.held or (self._spent and never_began)

    def hold(self) -> bool:
        """Whether no further trial is to begin; once true, it stays so."""
        self._spent = self._spent or sum(self._running.values()) >= self._left
        return self._spent
