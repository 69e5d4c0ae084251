"""How a process of an attempt says why it ended, where that is not a signal."""

from __future__ import annotations

WRITTEN = 0  # the outcome lies there
FAILED_ALONE = 70  # a rank failed where the others did not: its outcome lies beside
LOST_A_PEER = 75  # a rank ended because another one was gone
NODE_LOST = 76  # a node is gone, with the ranks that ran there
