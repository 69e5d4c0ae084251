"""How a process of an attempt says why it ended, where that is not a signal."""

from __future__ import annotations

import signal
from collections.abc import Iterable

WRITTEN = 0  # the outcome is there
FAILED_ALONE = 70  # a rank failed where the others did not: its outcome is beside it
NO_ROOM_LEFT = 74  # not even for an outcome; EX_IOERR of sysexits.h
LOST_A_PEER = 75  # a rank ended because another one was gone
NODE_LOST = 76  # a node is gone, with the ranks that ran there


def reasons(codes: Iterable[int]) -> list[int]:
    """Return those of several processes that can be the reason of the end. What ends one ends the others as
    well: they say that they lost a peer, or NCCL, which aborts ranks whose peer is gone, ends them by
    SIGABRT."""
    return [code for code in codes if code not in (WRITTEN, LOST_A_PEER, -signal.SIGABRT)]
