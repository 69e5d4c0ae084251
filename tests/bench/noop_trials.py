"""Milliseconds and driver memory a trial for trials that do nothing, through RayLauncher and without it.

    python tests/bench/noop_trials.py [TRIALS] [--profile] [--rows FILE]

Arms, all on one private cluster of 2 cores: bare calls of two Ray actors; the same calls with the records of
an attempt written (order, outcome, bill); RayLauncher, which has Tune schedule those attempts, after a first
small launch that loads what is loaded once. `--profile` shows where the driver's own time goes.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
import execution_fakes as fakes
from table import Row, arguments, finish

from orchestrator.execution.clock import SystemClock
from orchestrator.execution.launcher import AttemptEnded, LaunchEvent, TrialEnded, TrialStarted, Workplace
from orchestrator.execution.ray.launcher import RayLauncher, private_cluster_token
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.worker_slot import Slot

CORES = 2
HOSTS = fakes.FakeHosts({})


def main(trials: int, profile: bool, rows: Path | None) -> None:
    private_cluster_token()
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.cloudpickle.register_pickle_by_value(fakes)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as directory:
        ray.init(
            address="local",
            num_cpus=CORES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=200 * 2**20,
            _temp_dir=directory,
        )
        orders = [fakes.make_trial("noop", 10.0, seed=seed) for seed in range(trials)]
        print(f"{trials} trials on {CORES} cores; milliseconds are wall time of the whole over trials")
        bare = 0.0
        for name, place in (("bare actor calls", None), ("calls with records", Path(directory, "calls"))):
            seconds = actor_calls(ray, orders, place)
            bare = bare or 1e3 * seconds / trials
            print(f"{name:20} {1e3 * seconds / trials:8.2f} ms a trial")
        RayLauncher(
            Workplace(Path(directory, "first"), cache_dir=Path()), RetryPolicy(), host_factory=HOSTS
        ).run(orders[:4], lambda event: None)
        took, grown = launcher_arm(orders, Path(directory, "launcher"), profile)
        ray.shutdown()
    what = f"{trials} trials that do nothing"
    finish(
        [
            Row("b", f"{what}: wall time of each over a bare call", took - bare, "ms", 3.0),
            Row("b", f"{what}: memory of the driver for each", grown, "KiB", 5.0),
        ],
        rows,
    )


def actor_calls(ray: Any, orders: list[Any], directory: Path | None) -> float:
    """Seconds for one call an order on two actors, started and warmed before."""

    class Caller:
        def __init__(self) -> None:
            place = Workplace(directory or Path(), cache_dir=Path())
            self.slot = Slot(HOSTS, 1, place, SystemClock())

        def nothing(self, order: Any) -> None:
            return None

        def attempt(self, order: Any) -> str:
            ended = self.slot.attempt(order)
            assert ended is not None
            return ended.outcome.model_dump_json()

    actors = [ray.remote(num_cpus=1)(Caller).remote() for _ in range(CORES)]
    ray.get([actor.nothing.remote(None) for actor in actors])
    began = time.perf_counter()
    calls = [(a.nothing if directory is None else a.attempt) for a in actors]
    ray.get([calls[i % CORES].remote(order) for i, order in enumerate(orders)])
    seconds = time.perf_counter() - began
    for actor in actors:
        ray.kill(actor)
    return seconds


def launcher_arm(orders: list[Any], directory: Path, profile: bool) -> tuple[float, float]:
    """Return the milliseconds of a trial, and the KiB that the driver grows by."""
    events: list[tuple[float, LaunchEvent]] = []
    driver = psutil.Process()
    before, cpu = driver.memory_info().rss, sum(driver.cpu_times()[:2])
    launcher = RayLauncher(
        Workplace(directory, cache_dir=directory), RetryPolicy(), concurrency=CORES, host_factory=HOSTS
    )
    run: Callable[[], None] = partial(
        launcher.run, orders, lambda event: events.append((time.perf_counter(), event))
    )
    began = time.perf_counter()
    if profile:
        profiler = cProfile.Profile()
        profiler.runcall(run)
    else:
        run()
    total, trials = time.perf_counter() - began, len(orders)
    starts = [at for at, event in events if isinstance(event, TrialStarted)]
    ends = [at for at, event in events if isinstance(event, TrialEnded)]
    bills = [event.bill for _, event in events if isinstance(event, AttemptEnded)]
    inside = sum(bill.released_at - bill.allocated_at for bill in bills)
    grown = (driver.memory_info().rss - before) / 2**20
    print(
        f"{'RayLauncher':20} {1e3 * (ends[-1] - starts[0]) / trials:8.2f} ms a trial, first start to last end"
    )
    print(f"{'':20} {starts[0] - began:8.2f} s before the first start, {total:.2f} s in all")
    print(f"{'':20} {1e3 * inside / trials:8.2f} ms a trial inside its attempt, from order to bill")
    print(f"{'':20} {1e3 * (sum(driver.cpu_times()[:2]) - cpu) / trials:8.2f} ms a trial of the driver's CPU")
    print(f"{'':20} {grown:8.1f} MiB more in the driver, {1024 * grown / trials:.1f} KiB a trial")
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
    return 1e3 * (ends[-1] - starts[0]) / trials, 1024 * grown / trials


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("trials", nargs="?", type=int, default=1000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    main(given.trials, given.profile, given.rows)
