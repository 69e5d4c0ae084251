"""Which trials run at once on nodes of several kinds, and which begins next. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.resources import Resources

_EXACT = 1e-9  # shares of a GPU are sums of floats


def per_node(kind: NodeKind, trial: Resources) -> int:
    """Parts of such trials, of each the part that is on one node, that an empty node holds. Trials with less
    than a GPU share one; what is more comes from one node."""
    if trial.device is not None and trial.device != kind.device:
        return 0
    by_cpu, gpus = kind.cpus // (trial.cpus // trial.nodes), trial.gpus / trial.nodes
    if not gpus:
        return by_cpu
    by_gpu = kind.gpus * int(1 / gpus + _EXACT) if gpus < 1 else int(kind.gpus // gpus)
    return min(by_cpu, by_gpu)


def at_once(kinds: Sequence[NodeKind], trial: Resources) -> int:
    """Return how many trials of this size fit on all these nodes."""
    return sum(kind.nodes * per_node(kind, trial) for kind in kinds) // trial.nodes


@dataclass
class _Node:
    kind: int
    cpus: int  # free
    gpus: list[float]  # of each GPU the part that is free

    def find(self, cpus: int, gpus: float) -> dict[int, float] | None:
        """Return what each GPU would give, None if this does not fit."""
        if cpus > self.cpus:
            return None
        if gpus < 1:
            free = [(left, index) for index, left in enumerate(self.gpus) if left > gpus - _EXACT]
            fullest = min(free, default=None)
            return {} if not gpus else None if fullest is None else {fullest[1]: gpus}
        idle = [index for index, left in enumerate(self.gpus) if left > 1 - _EXACT]
        return None if len(idle) < gpus else dict.fromkeys(idle[: int(gpus)], 1.0)

    def take(self, cpus: int, gpus: dict[int, float], sign: int = 1) -> None:
        self.cpus -= sign * cpus
        for index, part in gpus.items():
            self.gpus[index] -= sign * part


_Seat = list[tuple[_Node, int, dict[int, float]]]  # of each part of a trial: node, cores, GPUs


class _Room:
    """The nodes, opened one after the other as they are needed: a cluster may name millions."""

    def __init__(self, kinds: Sequence[NodeKind]) -> None:
        self.kinds = sorted(kinds, key=lambda kind: (kind.gpus, kind.cpus))  # GPUs for who needs them
        self._unopened = [kind.nodes for kind in self.kinds]
        self._open: list[list[_Node]] = [[] for _ in self.kinds]

    def suitable_kinds(self, trial: Resources) -> set[int]:
        """Return the kinds that could hold a part of the trial."""
        return {number for number, kind in enumerate(self.kinds) if per_node(kind, trial)}

    def enter(self, trial: Resources, shut: set[int]) -> _Seat | None:
        """Takes room for all parts of the trial outside the kinds that are shut; None where there is none."""
        open_to, seat = sorted(self.suitable_kinds(trial) - shut), _Seat()
        cpus, gpus = trial.cpus // trial.nodes, trial.gpus / trial.nodes
        for _ in range(trial.nodes):
            for node in self._nodes(open_to):
                gpu_parts = node.find(cpus, gpus)
                if gpu_parts is not None:
                    node.take(cpus, gpu_parts)
                    seat.append((node, cpus, gpu_parts))
                    break
            else:
                self.leave(seat)
                return None
        return seat

    def leave(self, seat: _Seat) -> None:
        for node, cpus, gpus in seat:
            node.take(cpus, gpus, sign=-1)

    def _nodes(self, kinds: Sequence[int]) -> Iterator[_Node]:
        for number in kinds:
            yield from self._open[number]
            if self._unopened[number]:
                self._unopened[number] -= 1
                kind = self.kinds[number]
                self._open[number].append(_Node(number, kind.cpus, [1.0] * kind.gpus))
                yield self._open[number][-1]


@dataclass
class TrialQueue:
    """Trials in their order, waiting for nodes of some kinds (None: no limit).

    The first one that fits beside the running ones begins. One that does not fit yet keeps those behind it
    off the kinds of nodes that it waits for, so that it is passed only where that costs it nothing.
    """

    trials: Sequence[Resources]
    kinds: Sequence[NodeKind] | None
    at_most: int | None = None
    _waiting: dict[Resources, deque[int]] = field(init=False)  # of each size the places in line
    _running: dict[int, _Seat] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._room = None if self.kinds is None else _Room(self.kinds)
        self._waiting = defaultdict(deque)
        for index, trial in enumerate(self.trials):
            self._waiting[trial].append(index)

    @property
    def empty(self) -> bool:
        return not self._waiting

    def next(self) -> int | None:
        """Return the index of the trial that begins now, None if all must wait. If none is running, the first
        one begins in any case: the nodes may grow beyond what they were."""
        if self.at_most is not None and len(self._running) >= self.at_most:
            return None
        first, shut = sorted(self._waiting, key=lambda size: self._waiting[size][0]), set[int]()
        for size in first:
            seat = [] if self._room is None else self._room.enter(size, shut)
            if seat is not None:
                return self._begin(size, seat)
            assert self._room is not None
            shut |= self._room.suitable_kinds(size)
        return self._begin(first[0], []) if first and not self._running else None

    def _begin(self, size: Resources, seat: _Seat) -> int:
        index = self._waiting[size].popleft()
        if not self._waiting[size]:
            del self._waiting[size]
        self._running[index] = seat
        return index

    def ended(self, slot: int) -> None:
        seat = self._running.pop(slot)
        if self._room is not None:
            self._room.leave(seat)

    def begin_together(self) -> int:
        """Return how many trials begin before any ends. This empties the queue."""
        begun = 0
        while self.next() is not None:
            begun += 1
        return begun
