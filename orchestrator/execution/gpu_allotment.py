"""Which GPUs of this machine each trial gets."""

from __future__ import annotations

from collections.abc import Sequence

_EXACT = 1e-9  # parts of a GPU are sums of floats


class GpuAllotment:
    """The GPUs of one machine by UUID, and how much of each is free. Whole GPUs and parts of one, never parts
    of several."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self._free = dict.fromkeys(uuids, 1.0)

    @property
    def count(self) -> int:
        """GPUs that are not withdrawn."""
        return len(self._free)

    def withdraw(self, uuids: Sequence[str]) -> None:
        """Stop allotting these GPUs."""
        for uuid in uuids:
            self._free.pop(uuid, None)

    def take(self, gpus: float) -> tuple[str, ...] | None:
        """Return the UUIDs that a trial gets, none for 0; None where they are not free now. A part is taken
        from the fullest GPU that has room for it, so that others stay whole."""
        uuids: list[str] = []
        if 0 < gpus < 1:
            room = [(free, uuid) for uuid, free in self._free.items() if free > gpus - _EXACT]
            uuids = [min(room, key=lambda pair: pair[0])[1]] if room else []
        elif gpus:
            uuids = [uuid for uuid, free in self._free.items() if free > 1 - _EXACT][: int(gpus)]
        if len(uuids) < gpus:
            return None
        self._add(uuids, -gpus)
        return tuple(uuids)

    def give_back(self, uuids: Sequence[str], gpus: float) -> None:
        self._add(uuids, gpus)

    def _add(self, uuids: Sequence[str], gpus: float) -> None:
        for uuid in uuids:
            if uuid in self._free:
                self._free[uuid] += gpus / len(uuids)
