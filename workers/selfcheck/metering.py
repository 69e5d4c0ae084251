"""Rows 7 and 8: check that the seconds, tokens and joules of an attempt add up."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.outcome import Bill
from orchestrator.contracts.vocabulary import Figure, Phase, Source
from workers.selfcheck.card import has_bitsandbytes, nvml_of_first_gpu, timing_event
from workers.selfcheck.forks import fork
from workers.selfcheck.hosts import ForkedHost
from workers.selfcheck.injected import after_each_step, before_each_pass
from workers.selfcheck.models import bert, llama
from workers.selfcheck.results import CheckProblemError, Reading, at_most
from workers.selfcheck.retried import run_with_retries
from workers.selfcheck.workspace import Ran, Texts, Trials, Workspace

_LOAD_SECONDS = 10.0
_SETTLING_SECONDS = 1.5  # of load, until clocks and counter have settled
_INSTANT_POWER = 186  # NVML_FI_DEV_POWER_INSTANT, milliwatts


def seconds_and_figures(workspace: Workspace) -> list[Reading]:
    """Meter one attempt of each kind of model, from the order to the bill."""
    encoder = bert(workspace, hidden=workspace.sized(768, 64), layers=workspace.sized(4, 2))
    decoder = llama(workspace, hidden=workspace.sized(1024, 64), layers=workspace.sized(4, 2))
    cases: list[tuple[str, BackboneSpec, Settings]] = [
        ("bert, full", encoder, Full()),
        ("llama, lora, bf16", decoder, Lora()),
    ]
    if has_bitsandbytes() and not workspace.rehearsal:
        cases.append(("llama, nf4", decoder, Lora(quantise="nf4")))
    return [figure for case in cases for figure in _metered(workspace, *case)]


def _metered(workspace: Workspace, name: str, backbone: BackboneSpec, settings: Settings) -> list[Reading]:
    trials = Trials(workspace.of_check("7"))
    recipe: dict[str, Any] = {"batch_size": workspace.sized(32, 8), "steps": workspace.sized(60, 10)}
    if "bf16" in name:
        recipe["precision"] = "bf16"
    trial = trials.spec(backbone, settings, Texts(64, workspace.sized(254, 30)), recipe=recipe)
    watch = trials.folder / f"{name}.seconds"
    host: Callable[[int], ForkedHost] = lambda threads: ForkedHost(lambda: _stopwatch(watch))  # noqa: E731
    [(ran, bill), *_] = run_with_retries(trials, trial, workspace.resources(), host, name)
    if ran.outcome.failure is not None:
        raise CheckProblemError(f"{name}: {ran.outcome.failure.kind}, {ran.outcome.failure.message}")
    return [*_time(workspace, name, ran, bill, float(watch.read_text())), *_present(workspace, name, ran)]


def _time(workspace: Workspace, name: str, ran: Ran, bill: Bill, steps: float) -> list[Reading]:
    """Compare the times. In a rehearsal they are only reported, because other work on the machine affects
    them."""
    wall = bill.released_at - (bill.asked_at or bill.allocated_at)
    unexplained = abs(wall - sum(ran.outcome.phases.values()))
    difference = abs(steps - ran.outcome.phases[Phase.TRAIN]) / ran.outcome.phases[Phase.TRAIN]
    figures = [
        at_most(f"{name}: seconds of the bill in no phase", unexplained, 0.01 * wall + 0.1),
        at_most(f"{name}: seconds of training differ from a stopwatch's by a share of", difference, 0.02),
    ]
    if not workspace.rehearsal:
        return figures
    return [figure.model_copy(update={"limit": "", "passed": True}) for figure in figures]


def _present(workspace: Workspace, name: str, ran: Ran) -> Iterator[Reading]:
    expected = [Figure.TOKENS, Figure.FLOPS]
    expected += [] if workspace.rehearsal else [Figure.GPU_ENERGY, Figure.DEVICE_MEMORY]
    for figure in expected:
        origin = ran.outcome.origins.get(figure)
        missing = origin is None or origin.source is Source.MISSING
        value = "missing" if origin is None or missing else f"{origin.source}"
        by = "no figure" if origin is None else origin.by
        text = f"{value}: {by}" if missing else value
        yield Reading(name=f"{name}: {figure}", value=text, limit="known", passed=not missing)


@contextmanager
def _stopwatch(file: Path) -> Iterator[None]:
    """Write the seconds from the first training pass to the end of the last optimiser step; a GPU uses its
    own events."""
    on_gpu, marks = torch.cuda.is_available(), dict[str, Any]()

    def mark(name: str) -> None:
        if on_gpu:
            marks[name] = timing_event()
            marks[name].record()
        else:
            marks[name] = time.perf_counter()

    def begin(_: Tensor, number: int) -> None:
        if number == 1:
            mark("begin")

    with before_each_pass(begin), after_each_step(lambda: mark("end")):
        yield
    if on_gpu:
        marks["end"].synchronize()
        seconds = marks["begin"].elapsed_time(marks["end"]) / 1000
    else:
        seconds = marks["end"] - marks["begin"]
    file.write_text(str(seconds))


def energy(workspace: Workspace) -> list[Reading]:
    """Compare the energy counter with the power, and an attempt's joules with the counter."""
    nvml, handle = nvml_of_first_gpu()

    def joules() -> float:
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000

    def watts() -> float:
        [reading] = nvml.nvmlDeviceGetFieldValues(handle, [_INSTANT_POWER])
        return float(reading.value.uiVal) / 1000

    idle = _mean_power(watts, 1.0)
    counted, integrated = _under_load(joules, watts)
    trials = Trials(workspace.of_check("8"))
    recipe = {"batch_size": 32, "steps": 200, "precision": "fp32"}
    trial = trials.spec(bert(workspace, hidden=768, layers=4), texts=Texts(64, 254), recipe=recipe)
    before, began = joules(), time.monotonic()
    [(ran, _), *_] = run_with_retries(trials, trial, workspace.resources(), lambda _: ForkedHost(), "energy")
    spent, seconds = joules() - before, time.monotonic() - began
    booked = [work.gpu_joules for work in ran.outcome.work.values() if work.gpu_joules is not None]
    metered = sum(s for phase, s in ran.outcome.phases.items() if phase in ran.outcome.work)
    explained = sum(booked) + idle * max(0.0, seconds - metered)
    return [
        at_most("counter and integrated power differ by a share of", abs(counted / integrated - 1), 0.05),
        at_most("an attempt's joules with idle power, and the counter, differ by a share of",
                abs(explained / spent - 1), 0.05),
        Reading(name="idle power, watts", value=round(idle, 1)),
    ]  # fmt: skip


def _mean_power(watts: Callable[[], float], seconds: float) -> float:
    readings, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        readings.append(watts())
        time.sleep(0.02)
    return sum(readings) / len(readings)


def _under_load(joules: Callable[[], float], watts: Callable[[], float]) -> tuple[float, float]:
    """Return the joules of the counter and of the integrated power, over the same seconds of matrix products
    in a process of its own."""
    child = fork(_multiply)
    try:
        _wait_for_load(watts)
        time.sleep(_SETTLING_SECONDS)
        before, last, integrated = joules(), time.monotonic(), 0.0
        end = last + _LOAD_SECONDS
        while (now := time.monotonic()) < end:
            integrated += watts() * (now - last)
            last = now
            threading.Event().wait(0.01)
        return joules() - before, integrated
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def _multiply() -> None:
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    end = time.monotonic() + _LOAD_SECONDS + 10
    while time.monotonic() < end:
        (a @ a).sum().item()


def _wait_for_load(watts: Callable[[], float]) -> None:
    """Wait until the power has doubled, or 20 seconds have passed."""
    idle, end = watts(), time.monotonic() + 20
    while watts() < 2 * idle and time.monotonic() < end:
        time.sleep(0.05)
