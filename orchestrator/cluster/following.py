"""Following a sweep to its end. Looking changes nothing; the one thing done is to start again what ended for
a reason that KubeRay does not retry."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.cluster.observing import Look, look
from orchestrator.cluster.ray_job import RayJob, Step, next_step
from orchestrator.cluster.resources import RAY_JOBS
from orchestrator.cluster.sweeps import Sweeps

LOOK_SECONDS = 10  # at most between two looks
BREATH_SECONDS = 1.0  # at least, where the API server ends every watch at once


@dataclass(frozen=True)
class End:
    step: Step
    job: RayJob | None  # None where it was deleted


def follow(sweeps: Sweeps, name: str, show: Callable[[Look], None]) -> End:
    """Blocks. `show` gets every look. Raises LaunchError where the cluster cannot be asked."""
    last: RayJob | None = None
    while True:
        job = sweeps.job(name)
        if job is None:
            kept = sweeps.files.stopped(name)
            if kept or not _being_started_again(sweeps, name, last):
                return End(Step.STOPPED, last)
            time.sleep(BREATH_SECONDS)
            continue
        last = job
        show(look(sweeps.cluster, job))
        step = Step.WAIT if job.going else next_step(job)
        if step is Step.RECREATE:
            if not sweeps.recreate(job):
                time.sleep(BREATH_SECONDS)
        elif step is not Step.WAIT:
            return End(step, job)
        else:
            await_news(sweeps, job)


def _being_started_again(sweeps: Sweeps, name: str, last: RayJob | None) -> bool:
    """Whether another follower is between deleting the RayJob and applying it anew."""
    return last is not None and next_step(last) is Step.RECREATE and sweeps.files.kept(name) is not None


def await_news(sweeps: Sweeps, job: RayJob) -> None:
    """Until the RayJob changes, or it is time to look again."""
    began = time.monotonic()
    heard = sweeps.cluster.await_change(RAY_JOBS, job.name, job.version, LOOK_SECONDS)
    if not heard and time.monotonic() - began < BREATH_SECONDS:
        time.sleep(BREATH_SECONDS)
