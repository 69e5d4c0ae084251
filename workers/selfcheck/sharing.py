"""Row 10: several trials at once on one GPU."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from orchestrator.contracts.device import GIB
from orchestrator.contracts.resources import Resources
from workers.runtime.host import AttemptHost
from workers.selfcheck.card import nvml_of_first_gpu
from workers.selfcheck.hosts import carry_out_order, finished
from workers.selfcheck.models import bert
from workers.selfcheck.results import Reading, at_most, equal
from workers.selfcheck.workspace import Ran, Texts, Trials, Workspace


def together(workspace: Workspace) -> list[Reading]:
    """Run two and eight trials at once, and compare each with the same trial alone; then run one that runs
    out of memory beside others."""
    trials = Trials(workspace.of_check("10"))
    recipe = {"batch_size": 32, "steps": 60, "precision": "fp32"}
    trial = trials.spec(bert(workspace, hidden=256, layers=4), texts=Texts(128, 126), recipe=recipe)
    nvml, handle = nvml_of_first_gpu()
    hosts = [AttemptHost(threads=1) for _ in range(8)]

    def at_once(count: int, name: str) -> tuple[list[Ran], float, float]:
        orders = [trials.order(trial, Resources(gpus=1 / count), f"{name}-{n}") for n in range(count)]
        before, began = nvml.nvmlDeviceGetTotalEnergyConsumption(handle), time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            ran = list(pool.map(finished, hosts, orders))
        joules = (nvml.nvmlDeviceGetTotalEnergyConsumption(handle) - before) / 1000
        return ran, time.monotonic() - began, joules

    try:
        at_once(8, "warm-up")
        [alone], seconds, _ = at_once(1, "alone")
        figures = []
        for count in (2, 8):
            ran, elapsed, joules = at_once(count, f"of-{count}")
            figures += _compared(alone, seconds, count, ran, elapsed, joules)
        return [*figures, *_beside_one_that_fails(workspace, trials, hosts)]
    finally:
        for host in hosts:
            host.close()


def _compared(
    alone: Ran, seconds: float, count: int, ran: list[Ran], elapsed: float, joules: float
) -> list[Reading]:
    difference = max(alone.losses_apart(attempt) for attempt in ran)
    booked = sum(work.gpu_joules or 0.0 for attempt in ran for work in attempt.outcome.work.values())
    peaks = [attempt.outcome.peak_device_memory_bytes or 0 for attempt in ran]
    total = first_total_bytes()
    return [
        at_most(f"{count} at once: losses differ from those alone by", difference, 1e-4),
        at_most(f"{count} at once: largest peak, share of its part", max(peaks) * count / total, 1.0),
        at_most(
            f"{count} at once: booked joules and the counter differ by a share of",
            abs(booked / joules - 1) if joules else 1.0,
            0.05,
        ),
        Reading(name=f"{count} at once: speed-up", value=round(count * seconds / elapsed, 2)),
        Reading(
            name=f"{count} at once: one trial takes, times that alone", value=round(elapsed / seconds, 2)
        ),
    ]


def first_total_bytes() -> int:
    nvml, handle = nvml_of_first_gpu()
    return int(nvml.nvmlDeviceGetMemoryInfo(handle).total)


def _beside_one_that_fails(workspace: Workspace, trials: Trials, hosts: list[AttemptHost]) -> list[Reading]:
    small = trials.spec(bert(workspace, hidden=256, layers=4), texts=Texts(128, 126), recipe={"steps": 60})
    recipe = {"batch_size": 512, "steps": 4, "precision": "fp32"}
    large = trials.spec(bert(workspace, hidden=768, layers=12), texts=Texts(512, 478), recipe=recipe)
    share = min(0.25, 6 * GIB / first_total_bytes())
    orders = [trials.order(large, Resources(gpus=share), "too-large")]
    orders += [trials.order(small, Resources(gpus=share), f"beside-{n}") for n in range(3)]
    with ThreadPoolExecutor(len(orders)) as pool:
        failed, *neighbours = pool.map(carry_out_order, hosts, orders)
    finished_beside = sum(attempt.outcome.state == "finished" for attempt in neighbours)
    return [
        equal("the one that needs too much", failed.failure_kind, "OUT_OF_MEMORY"),
        equal("of three beside it, finished", float(finished_beside), 3.0),
    ]
