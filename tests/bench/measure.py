"""CPU-seconds of a whole process tree, orphans and daemons included, by a control group of its own.

Process-tree rusage misses what Ray starts, because its workers are not waited for by the process that asked.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

V1 = Path("/sys/fs/cgroup/cpuacct")
V2 = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Cost:
    cpu_seconds: float
    wall_seconds: float


def _usage(group: Path) -> float:
    """CPU-seconds that the group has used."""
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


def run_measured(command: Sequence[str], **popen: object) -> Cost:
    """Runs `command` to its end inside a fresh group. Exits with a message where groups cannot be made."""
    root = V1 if V1.is_dir() else V2
    group = root / f"frontier-bench-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
    except OSError as error:
        raise SystemExit(
            f"{root} is not writable ({error.strerror}): CPU time cannot be measured here"
        ) from error
    join = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    began = time.monotonic()
    subprocess.run(["bash", "-c", join, "bash", *command], check=True, **popen)  # type: ignore[call-overload]
    cost = Cost(_usage(group), time.monotonic() - began)
    for _ in range(100):  # daemons take a moment to leave
        try:
            group.rmdir()
            break
        except OSError:
            time.sleep(0.1)
    return cost


def interleave(arms: dict[str, Callable[[int], Cost]], repeats: int) -> dict[str, list[Cost]]:
    """A B A B …, so that a noisy neighbour hits all arms alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in arms}
    for repeat in range(repeats):
        for name, arm in arms.items():
            cost = arm(repeat)
            costs[name].append(cost)
            print(
                f"  {repeat + 1}/{repeats} {name}: {cost.cpu_seconds:.1f} CPU-s, {cost.wall_seconds:.1f} s",
                flush=True,
            )
    return costs


def ratio(baseline: Sequence[Cost], ours: Sequence[Cost]) -> float:
    """Return the median over the repeats of how many times more CPU-seconds the baseline took."""
    return statistics.median(b.cpu_seconds / o.cpu_seconds for b, o in zip(baseline, ours, strict=True))
