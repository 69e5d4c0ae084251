"""What a batch costs Python: padded row by row from lists, and gathered from the flat split, in turns.

    python tests/bench/collate.py [EXAMPLES] [TOKENS] [ROUNDS]

One thread, invented tokens of an ner task. Prints the medians in milliseconds. Exit code 1 where the two
batches differ in a bit.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from workers.batches import FlatSplit
from workers.tasks import IGNORED, Encoded

SPLIT = 2000  # examples


def row_by_row(data: Encoded, places: Sequence[int], pad: int) -> dict[str, Tensor]:
    """As batches were made before the split lay flat on the device."""

    def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
        return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])

    ids = [data.input_ids[i] for i in places]
    length = max(map(len, ids))
    return {
        "input_ids": padded(ids, pad),
        "attention_mask": padded([[1] * len(row) for row in ids], 0),
        "labels": padded([data.labels[i] for i in places], IGNORED),  # type: ignore[misc]
    }


def main(arguments: list[str]) -> int:
    given = [int(word) for word in arguments]
    examples, tokens, rounds = [*given, *(32, 480, 200)[len(given) :]]
    torch.set_num_threads(1)
    drawn = random.Random(0)
    ids = [
        [drawn.randrange(30_000) for _ in range(drawn.randint(tokens * 9 // 10, tokens))]
        for _ in range(SPLIT)
    ]
    labels = [[drawn.choice((IGNORED, 0, 1, 2)) for _ in row] for row in ids]
    data = Encoded(ids, labels, None, truncated=0)
    flat = FlatSplit(data, 0, torch.device("cpu"))
    batches = [drawn.sample(range(SPLIT), examples) for _ in range(rounds)]
    taken: tuple[list[float], list[float]] = [], []
    for places, rows in zip(batches, flat.rows(batches), strict=True):
        began = time.perf_counter()
        before = row_by_row(data, places, 0)
        between = time.perf_counter()
        batch = flat.batch(rows)
        taken[0].append(between - began)
        taken[1].append(time.perf_counter() - between)
        after = batch.inputs | {"labels": batch.labels}
        if before.keys() != after.keys() or not all(torch.equal(before[n], after[n]) for n in before):
            print("the two batches differ")
            return 1
    old, new = (1000 * statistics.median(seconds) for seconds in taken)
    print(f"{examples} x {tokens}: row by row {old:.2f} ms, gathered {new:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
