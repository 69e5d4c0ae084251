"""How much longer a sweep takes than it would at best: the makespan over its lower bound, in virtual time.

    python tests/bench/makespan.py [DRAWS] [--rows FILE]

Replays 42 runs that PEFT's method comparison published (peft_seconds.csv: Llama-3.2-3B on one GPU, its commit
5d602fdb, Apache-2.0) through the order and the queue of the launchers. No process is started. Arms: forecasts
from the first 250 of 5,000 steps of each run; then trials on 1, 2 and 4 GPUs of nodes with 8, forecasts with
a standard deviation of 20 %, and 2 % of the attempts lost halfway on average; then three seeds of these.
Means over draws, the worst number of GPUs. FIFO is the order of the file, in the same queue.
"""

from __future__ import annotations

import csv
import heapq
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from table import Row, arguments, finish

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.trial import Resources
from orchestrator.planning.packing import TrialQueue
from orchestrator.planning.placement import longest_first, seed_by_seed

TRACE = Path(__file__).with_name("peft_seconds.csv")
GPUS = (4, 8, 16, 64)
GPUS_PER_NODE = 8
PROFILED_SHARE = 250 / 5000  # of the steps of a run
SIZES = (1, 1, 1, 2, 2, 4)  # GPUs of a trial, drawn for each cell
ERROR, LOSS = 0.2, 0.02
DRAWS = 20


@dataclass(frozen=True)
class Job:
    """`seconds` is what the trial holds its GPUs for, lost attempts included; `forecast` leaves those out."""

    seconds: float
    forecast: float
    seed: int = 0
    gpus: int = 1


def profiled() -> list[Job]:
    """Return each run, with the forecast that its first steps give."""
    return [Job(seconds, first / PROFILED_SHARE) for seconds, first in runs()]


def uncertain(drawn: random.Random, seeds: int) -> list[Job]:
    """Return `seeds` trials of each run, on one to four GPUs, some of them lost once."""
    jobs = []
    sizes = [drawn.choice(SIZES) for _ in runs()]
    for seed in range(seeds):
        for (seconds, _), gpus in zip(runs(), sizes, strict=True):
            alone = seconds / gpus
            lost = drawn.random() * alone if drawn.random() < LOSS else 0.0
            jobs.append(Job(alone + lost, alone * drawn.lognormvariate(0, ERROR), seed, gpus))
    return jobs


def runs() -> Iterator[tuple[float, float]]:
    """Yield the seconds of each run, and those of its first 250 steps with their evaluation."""
    with TRACE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield float(row["seconds"]), float(row["seconds_of_first_250_of_5000_steps"])


def as_launched(jobs: Sequence[Job]) -> list[Job]:
    return seed_by_seed(jobs, lambda job: job.seed, lambda job: job.forecast)


def ranked(jobs: Sequence[Job]) -> list[Job]:
    return longest_first(jobs, lambda job: job.forecast)


def makespan(jobs: Sequence[Job], gpus: int) -> float:
    """Return the seconds until the last job has ended."""
    given = [Resources(cpus=job.gpus, gpus=job.gpus, processes=job.gpus) for job in jobs]
    per_node = min(gpus, GPUS_PER_NODE)
    line = TrialQueue(given, [NodeKind(nodes=gpus // per_node, cpus=per_node, gpus=per_node)])
    now, running = 0.0, list[tuple[float, int]]()
    while not line.empty or running:
        while (index := line.next()) is not None:
            heapq.heappush(running, (now + jobs[index].seconds, index))
        now, ended = heapq.heappop(running)
        line.ended(ended)
    return now


def lower_bound(jobs: Sequence[Job], gpus: int) -> float:
    return max(sum(job.seconds * job.gpus for job in jobs) / gpus, max(job.seconds for job in jobs))


def compare(title: str, draw: Callable[[], list[Job]], draws: int) -> tuple[float, float]:
    """Return the largest mean ratio to the lower bound over the numbers of GPUs, and the largest to FIFO."""
    to_bound, to_fifo = [], []
    for gpus in GPUS:
        ratios: dict[str, list[float]] = {"as launched": [], "longest first": [], "FIFO": []}
        for _ in range(draws):
            jobs = draw()
            orders = {"as launched": as_launched(jobs), "longest first": ranked(jobs), "FIFO": jobs}
            for order, ordered in orders.items():
                ratios[order].append(makespan(ordered, gpus) / lower_bound(jobs, gpus))
        mean = {order: statistics.mean(each) for order, each in ratios.items()}
        figures = ", ".join(f"{order} {ratio:.3f}" for order, ratio in mean.items())
        print(f"  {title}, {gpus} GPUs, of the lower bound: {figures}")
        to_bound.append(mean["as launched"])
        to_fifo.append(mean["as launched"] / mean["FIFO"])
    return max(to_bound), max(to_fifo)


def main() -> None:
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("draws", nargs="?", type=int, default=DRAWS)
    given = parser.parse_args()
    one = compare("42 profiled trials", profiled, 1)
    drawn = random.Random(1)
    cells = compare("42 uncertain trials", lambda: uncertain(drawn, seeds=1), given.draws)
    seeds = compare("the same with 3 seeds", lambda: uncertain(drawn, seeds=3), given.draws)
    over_fifo = max(one[1], cells[1], seeds[1])
    finish(
        [
            Row("d", "makespan over its lower bound, 42 profiled trials", one[0], "x", 1.06),
            Row("d", "the same, 1 to 4 GPUs each, 20 % error, 2 % lost", cells[0], "x", 1.10),
            Row("d", "the same, 3 seeds, seed by seed", seeds[0], "x", 1.10),
            Row("d", "makespan over that of the file's order", over_fifo, "x", 1.0),
        ],
        given.rows,
    )


if __name__ == "__main__":
    main()
