"""How much of a device's memory a trial may fill with what a frozen backbone answered."""

from __future__ import annotations

from orchestrator.contracts.device import GIB

MOST_BYTES = GIB  # of hidden states, for train and dev together
