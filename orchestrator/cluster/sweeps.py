"""Sweeps as objects of a cluster: start, attach, stop, resume.

A sweep is a RayJob and the ConfigMap that it owns, which outlives it (`sweep_files`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from orchestrator.cluster.api_errors import RefusalError
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.diff import manifest_differences
from orchestrator.cluster.documents import KubeObject, get, mapping
from orchestrator.cluster.naming import SWEEP_LABEL, SWEEP_NAME
from orchestrator.cluster.ray_job import RECREATIONS, STOPPED, RayJob, Step, next_job_step
from orchestrator.cluster.render import Rendered
from orchestrator.cluster.resources import RAY_JOBS
from orchestrator.cluster.sweep_files import SweepFiles, config_map_to_apply, job_to_apply
from orchestrator.cluster.watch import never_ran
from orchestrator.errors import ConfigError, LaunchError, Problem, did_you_mean

_GONE_SECONDS = 300  # the driver gets to write its records, the pods their grace
_LOOK_SECONDS = 10
_MOST_ENDED = 20  # RayJobs of other sweeps that stay after their end; the quota of k8s/base has 50


@dataclass(frozen=True)
class Sweeps:
    cluster: Cluster
    say: Callable[[str], None]

    @property
    def files(self) -> SweepFiles:
        return SweepFiles(self.cluster)

    @property
    def submit_command(self) -> str:
        """Return the command for a sweep whose file is only on this machine."""
        return f"submit its file again: {self.cluster.command('submit', 'CONFIG', '--overlay', 'OVERLAY')}"

    def ray_jobs(self) -> list[KubeObject]:
        """Return the RayJobs of all sweeps. Raises LaunchError if the cluster does not answer, lacks the
        RayJob CRD or rejects the login."""
        return self.cluster.every(RAY_JOBS, labels=SWEEP_LABEL)

    def submit(
        self, rendered: Rendered, *, replaces: bool = True, permit: Callable[[], None] = lambda: None
    ) -> str:
        """Starts the sweep, or attaches to the one that runs. Gives its id.

        `replaces`: whether one that was submitted before, changed since and never ran gives way. `permit` is
        asked before anything is started or removed, and not where a sweep is just attached to: it raises
        what keeps the sweep from starting.
        Raises ConfigError where the one that runs is another: its file or the overlay was changed.
        """
        name = rendered.sweep_id
        job = self.job(name)
        live = job if job is not None and not job.going and not job.ended else None
        if live is not None:
            changed = manifest_differences(rendered, live.body, self.files.of(live))
            if not (changed and replaces and never_ran(self.cluster, live)):
                self._refuse_changed(changed, live)
                self.files.adopt(rendered.config_map, live)
                self.say(f"{name} is there already: attached")
                return name
        permit()
        if job is not None:
            how = f"is there and {'is going' if job.going else 'ended'}: it resumes from its records"
            replaced = "was submitted before, and no pod of it was ever ready: it is replaced"
            self.say(f"{name} {replaced if live else how}")
            if not self._remove(job):  # somebody else was quicker: look again
                return self.submit(rendered, replaces=False, permit=permit)
        with suppress(LaunchError):  # the sweep's own job is not there by now, and has to be
            self._clear_away(name)
        started = self._start(rendered.config_map, rendered.ray_job)
        self.files.forget_others(name)
        if not started:
            return self.submit(rendered, replaces=False, permit=permit)
        self.say(f"{name}: submitted to {self.cluster.host}, namespace {self.cluster.namespace}")
        return name

    def stop(self, name: str) -> None:
        """Ends the driver and removes the cluster; storage and the sweep's file stay."""
        mark = {STOPPED: datetime.now(UTC).isoformat(timespec="seconds")}
        job = self.job(name)
        if job is None:
            self.files.mark(name, mark)  # a follower may be about to make it again
            self.say(f"{name} has no RayJob: it was stopped before")
            return
        if not self.files.keep(job, mark):
            self.stop(name)  # somebody has just made it again: that one, then
            return
        self.cluster.patch(RAY_JOBS, name, {"metadata": {"annotations": mark}})
        self.say(f"{name}: stopping; the driver ends and the pods go")
        self.delete(job)
        self.say(
            f"{name}: stopped. Its records stay; {self.cluster.command('resume', name)} resumes from them"
        )

    def resume(self, name: str) -> None:
        """Unsuspends it, or starts again what was stopped or ended. Attaches to what runs."""
        job = self.job(name)
        if job is None or job.going:
            kept = self.files.kept(name)
            if kept is None:
                raise LaunchError(f"{name}: the cluster keeps no file of it\n    -> {self.submit_command}")
            if job is not None:
                self._await_gone(name)
            if not self._start(*kept):
                self.resume(name)  # somebody else was quicker: look again
                return
            self.say(f"{name}: resumes from its records")
        elif job.ended:
            if not self._again(job, 0):
                self.resume(name)  # somebody else was quicker: look again
                return
            self.say(f"{name}: resumes from its records")
        elif job.suspended and job.queued_by:
            self.say(f"{name} waits in the queue {job.queued_by}, which alone starts it")
        elif job.suspended:
            self.cluster.patch(RAY_JOBS, name, {"spec": {"suspend": False}})
            self.say(f"{name}: no longer suspended")
        else:
            self.say(f"{name} runs already: attached")

    def recreate(self, job: RayJob) -> bool:
        """Create the same RayJob again after an end that KubeRay does not retry. Return False if somebody
        else was quicker, or stopped it."""
        return self._again(job, job.recreations + 1)

    def job(self, name: str) -> RayJob | None:
        body = self.cluster.get(RAY_JOBS, name)
        return None if body is None else RayJob(body)

    def named(self, sweep: str) -> str:
        """The id, from an id or the name in the sweep's file. Raises ConfigError."""
        names = self._names()
        matches = _called(sweep, names)
        if len(matches) == 1:
            return matches[0]
        where = f"namespace {self.cluster.namespace}"
        if matches:
            problem = f"{len(matches)} sweeps are called {sweep!r}"
            raise ConfigError(
                [Problem(where, "", problem, f"name one by its id: {', '.join(sorted(matches))}")]
            )
        fix = (
            did_you_mean(sweep, {*names, *names.values()})
            if names
            else "submit it first, or give --namespace"
        )
        raise ConfigError([Problem(where, "", f"there is no sweep {sweep!r}", fix)])

    def objects_of(self, name: str) -> tuple[RayJob, KubeObject | None]:
        """The RayJob of a sweep, as it is or as it is kept, and its ConfigMap. Raises LaunchError where the
        cluster keeps neither."""
        job = self.job(name)
        if job is not None:
            return job, self.files.of(job)
        kept = self.files.kept(name)
        if kept is None:
            raise LaunchError(f"{name}: the cluster keeps no file of it\n    -> {self.submit_command}")
        config_map, body = kept
        return RayJob(body), config_map

    def delete(self, job: RayJob) -> bool:
        """Wait until it is gone. False where it was another's to delete."""
        if not self.cluster.delete(RAY_JOBS, job.name, job.uid):
            return False
        self._await_gone(job.name)
        return True

    def ids_of(self, sweep: str) -> list[str]:
        """Return the ids of the sweeps that have that id or name."""
        return _called(sweep, self._names())

    def _names(self) -> dict[str, str]:
        """Return the names of all sweeps by id, also of stopped ones."""
        names: dict[str, str] = {}
        for body in (*self.files.kept_jobs(), *self.ray_jobs()):
            names.update(_name_by_identity(body))
        return names

    def _clear_away(self, name: str) -> None:
        """Delete the oldest RayJobs of other sweeps that have ended, so that they do not use up the quota.
        Their files are kept. One that is to be started again has not ended."""
        jobs = [job for job in map(RayJob, self.ray_jobs()) if job.name != name]
        over = [job for job in jobs if job.ended and next_job_step(job) is not Step.RECREATE]
        over.sort(key=lambda job: job.created)
        for job in over[: max(0, len(over) - _MOST_ENDED)]:
            if not job.going and self.files.keep(job, {}):
                self.cluster.delete(RAY_JOBS, job.name, job.uid)

    def _refuse_changed(self, changed: list[str], job: RayJob) -> None:
        command = self.cluster.command("stop", job.name)
        if changed:
            raise ConfigError(
                [
                    Problem(
                        f"RayJob {job.name}",
                        line.partition(": ")[0],
                        f"{line.partition(': ')[2]}, while the sweep runs",
                        f"wait for its end, or {command} and submit again: finished trials stay finished; "
                        "another `name` in the file makes it another sweep",
                    )
                    for line in changed
                ]
            )

    def _start(self, config_map: KubeObject, ray_job: KubeObject) -> bool:
        """Return False if another RayJob has the name: applying ours would change it."""
        self.cluster.apply(config_map)
        try:
            job = RayJob(self.cluster.create(RAY_JOBS, ray_job))
        except RefusalError as refused:
            if refused.status == HTTPStatus.CONFLICT:
                return False
            raise
        self.files.hand_over(config_map, job)
        return True

    def _again(self, job: RayJob, recreations: int) -> bool:
        config_map = self.files.of(job)
        if config_map is None:
            raise LaunchError(
                f"{job.name}: its ConfigMap {job.config_map} is gone\n    -> {self.submit_command}"
            )
        if not self._remove(job) or (recreations and self.files.stopped(job.name)):
            return False
        body = job_to_apply(job)
        body["metadata"]["annotations"][RECREATIONS] = str(recreations)
        return self._start(config_map_to_apply(config_map), body)

    def _remove(self, job: RayJob) -> bool:
        if job.going:
            self._await_gone(job.name)
            return True
        return self.files.keep(job, {}) and self.delete(job)

    def _await_gone(self, name: str) -> None:
        for turn in range(_GONE_SECONDS // _LOOK_SECONDS):
            job = self.job(name)
            if job is None or not job.going:
                return
            if turn:
                self.say(f"{name}: waits for its pods to go")
            self.cluster.await_change(RAY_JOBS, name, job.version, _LOOK_SECONDS)
        raise LaunchError(
            f"{name} does not go: KubeRay's operator, or a pod that cannot end, holds it\n"
            f"    -> {self.cluster.command('follow', name)} shows what it waits for; then run this again"
        )


def _called(sweep: str, names: dict[str, str]) -> list[str]:
    return [identity for identity, name in names.items() if sweep in (identity, name)]


def _name_by_identity(job: KubeObject) -> dict[str, str]:
    identity = str(get(job, "metadata", "name"))
    return {identity: str(mapping(get(job, "metadata", "annotations")).get(SWEEP_NAME, identity))}
