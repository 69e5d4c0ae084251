"""The other half of row 1: template, one trial, speed, NCCL, 4-bit products."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from orchestrator.contracts.child_processes import safe_environment
from orchestrator.contracts.device import GIB
from orchestrator.contracts.vocabulary import Figure, Source
from workers.runtime.host import AttemptHost
from workers.selfcheck.card import INSTALL_BITSANDBYTES, has_bitsandbytes, timing_event, used_bytes
from workers.selfcheck.environment import kind_here
from workers.selfcheck.hosts import finished
from workers.selfcheck.models import bert
from workers.selfcheck.results import CheckProblemError, LeftOutError, Reading, at_least, at_most, equal
from workers.selfcheck.workspace import Texts, Trials, Workspace


def template(workspace: Workspace) -> list[Reading]:
    """Check that attempts can be forked from a process that has imported every installed library."""
    code = (
        "from workers.runtime.attempt import settle_environment; settle_environment(1); "
        "from workers.runtime.warm_imports import import_warm; print(import_warm())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=safe_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    if done.returncode:
        print(done.stderr)
        raise CheckProblemError("the libraries of the worker cannot be imported", "read its message below")
    forkable = done.stdout.strip().splitlines()[-1] == "True"
    fix = "remove the library that starts CUDA when it is imported: attempts take seconds longer to start"
    return [equal("CUDA before the fork", "not started" if forkable else "started", "not started", fix)]


def one_trial(workspace: Workspace) -> list[Reading]:
    """Run a small trial in a process forked from the product's own template."""
    trials = Trials(workspace.of_check("1.5"))
    trial = trials.spec(bert(workspace, hidden=256, layers=4), texts=Texts(128, 126), recipe={"steps": 40})
    before = used_bytes(workspace)
    host = AttemptHost(threads=1)
    try:
        ran = finished(host, trials.order(trial, workspace.resources(), "trial"))
        after = used_bytes(workspace)
    finally:
        host.close()
    origins, work = ran.outcome.origins, ran.outcome.work.values()
    metered = (Figure.TOKENS, Figure.FLOPS, Figure.GPU_ENERGY, Figure.DEVICE_MEMORY)
    missing = [f"{w}: {origins[w].by}" for w in metered if origins[w].source is Source.MISSING]
    joules = sum(phase_work.gpu_joules or 0.0 for phase_work in work)
    return [
        equal("trial", ran.outcome.state, "finished"),
        equal("missing figures", "; ".join(missing) or "none", "none"),
        Reading(name="joules", value=round(joules, 1), limit="above 0", passed=joules > 0),
        at_most("bytes left on the GPU", after - before, 64 * 2**20),
    ]


def matrix_product(workspace: Workspace) -> list[Reading]:
    """Compare the speed of a half precision product with the entry of the GPU."""
    kind, half = kind_here(), torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    a = torch.randn(8192, 8192, device="cuda", dtype=half)
    begin, end = timing_event(), timing_event()
    for _ in range(5):
        a @ a
    begin.record()
    for _ in range(30):
        a @ a
    end.record()
    torch.cuda.synchronize()
    tflops = 30 * 2 * 8192**3 / (begin.elapsed_time(end) / 1000) / 1e12
    if kind is None or kind.tflops is None:
        return [Reading(name="TFLOP/s", value=round(tflops, 1))]
    fix = "end what else runs on the GPU; check power limit and cooling"
    return [at_least("TFLOP/s", round(tflops, 1), kind.tflops / 2, fix)]


def all_reduce(workspace: Workspace) -> list[Reading]:
    """Run NCCL over all visible GPUs, one process each: it sums 256 MB."""
    count = torch.cuda.device_count()
    shared = shutil.disk_usage("/dev/shm").total / GIB  # noqa: S108
    fix = "mount a memory volume at /dev/shm (docker run --shm-size=2g)"
    figures = [
        Reading(name="GPUs", value=count),
        Reading(
            name="/dev/shm, GiB",  # noqa: S108
            value=round(shared, 2),
            limit="at least 1" if count > 1 else "",
            passed=count == 1 or shared >= 1,
            fix=fix,
        ),
    ]
    folder = workspace.of_check("1.7")
    importlib.import_module("torch.multiprocessing").spawn(_reduce, (count, str(folder)), nprocs=count)
    right, seconds = (folder / "reduced.txt").read_text().split()
    figures.append(equal("sum", "right" if right == "True" else "wrong", "right"))
    if count > 1:
        bandwidth = 2 * (count - 1) / count * 256e6 / float(seconds) / 1e9
        figures.append(Reading(name="bus bandwidth, GB/s", value=round(bandwidth, 1)))
    return figures


def _reduce(rank: int, count: int, folder: str) -> None:
    dist: Any = torch.distributed
    device = torch.device("cuda", rank)
    torch.cuda.set_device(device)
    store = dist.FileStore(f"{folder}/store", count)
    dist.init_process_group("nccl", store=store, rank=rank, world_size=count, device_id=device)
    values = torch.full((64_000_000,), float(rank + 1), device=device)
    dist.all_reduce(values)
    right = bool((values == count * (count + 1) / 2).all())
    begin, end = timing_event(), timing_event()
    begin.record()
    for _ in range(5):
        dist.all_reduce(values)
    end.record()
    torch.cuda.synchronize()
    if rank == 0:
        seconds = begin.elapsed_time(end) / 1000 / 5
        Path(folder, "reduced.txt").write_text(f"{right} {seconds}")
    dist.destroy_process_group()


def four_bits(workspace: Workspace) -> list[Reading]:
    """Compare bitsandbytes' nf4 product with the product of its dequantised weights."""
    if not has_bitsandbytes():
        raise LeftOutError(f"bitsandbytes is not installed ({INSTALL_BITSANDBYTES})")
    bnb: Any = importlib.import_module("bitsandbytes")
    torch.manual_seed(0)
    layer = bnb.nn.Linear4bit(512, 512, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4").cuda()
    inputs = torch.randn(64, 512, device="cuda", dtype=torch.bfloat16)
    weights = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    expected = inputs @ weights.to(torch.bfloat16).T
    difference = (layer(inputs) - expected).float().norm() / expected.float().norm()
    fix = "install a bitsandbytes built for this CUDA"
    return [at_most("relative difference", difference.item(), 1e-2, fix)]
