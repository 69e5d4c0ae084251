"""Following a sweep to its end. Looking changes nothing; the one thing done is to start again what ended for
a reason that KubeRay does not retry."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.cluster.ray_job import RayJob, Step, next_job_step
from orchestrator.cluster.resources import RAY_JOBS
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.cluster.watch import Look, look_at

LOOK_SECONDS = 10  # at most between two looks
_RETURN_LOOKS = 15  # a breath apart, for a RayJob that somebody else is about to make again
BREATH_SECONDS = 1.0  # at least, where the API server ends every watch at once


@dataclass(frozen=True)
class End:
    step: Step
    job: RayJob | None  # None where it was deleted


def follow(sweeps: Sweeps, name: str, show: Callable[[Look], None]) -> End:
    """Blocks. `show` gets every look. Raises LaunchError where the cluster cannot be asked."""
    last: RayJob | None = None
    missed = 0  # looks in a row without a RayJob
    while True:
        job = sweeps.job(name)
        if job is None:
            if sweeps.files.stopped(name):
                return End(Step.STOPPED, last)
            missed += 1
            if missed > _RETURN_LOOKS or not _being_made_again(sweeps, name, last):
                return End(Step.GONE, last)
            time.sleep(BREATH_SECONDS)
            continue
        last, missed = job, 0
        show(look_at(sweeps.cluster, job))
        step = Step.WAIT if job.going else next_job_step(job)
        if step is Step.RECREATE:
            if not sweeps.recreate(job):
                time.sleep(BREATH_SECONDS)
        elif step is not Step.WAIT:
            return End(step, job)
        else:
            await_news(sweeps, job)


def _being_made_again(sweeps: Sweeps, name: str, last: RayJob | None) -> bool:
    """Return whether another follower, or a submission that replaces it, may be between deleting the RayJob
    and applying it."""
    ended = last is None or next_job_step(last) not in (Step.WAIT, Step.RECREATE)
    return not ended and sweeps.files.kept(name) is not None


def await_news(sweeps: Sweeps, job: RayJob) -> None:
    """Until the RayJob changes, or it is time to look again."""
    began = time.monotonic()
    heard = sweeps.cluster.await_change(RAY_JOBS, job.name, job.version, LOOK_SECONDS)
    if not heard and time.monotonic() - began < BREATH_SECONDS:
        time.sleep(BREATH_SECONDS)
