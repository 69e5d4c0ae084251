"""The records of a sweep, from the volume of its pods into a directory of this machine."""

from __future__ import annotations

import hashlib
import http.client
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import KubeObject, get
from orchestrator.cluster.fetch_job import FETCHES
from orchestrator.cluster.pending import pending_pods
from orchestrator.cluster.record_server import ARCHIVE, BYTES, INDEX, PORT
from orchestrator.cluster.resources import JOBS, PODS
from orchestrator.errors import LaunchError

PATIENCE_SECONDS = 600.0  # for a node, an image, a volume
LOOK_SECONDS = 1.0
_SILENCE_SECONDS = 15.0  # at most, without a line
_CHUNK = 2**20
_TIMEOUT_SECONDS = 60.0

Received = Callable[[int, int], None]  # bytes so far, and about how many there are


def fetch(
    cluster: Cluster, job: KubeObject, into: Path, say: Callable[[str], None], received: Received
) -> int:
    """Run `job` (`fetch_job`), write what its pod serves below `into`, which must be empty, and remove the
    job. Return the number of files. Raises LaunchError where the pod does not come, or an archive arrives
    damaged: what is in `into` is of no use then."""
    sweep = str(job["metadata"]["labels"][FETCHES])
    with _running(cluster, job, say) as pod, closing(_await_server(cluster, pod)) as connection:
        try:
            connection.request("GET", ARCHIVE)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise LaunchError(
                    "the storage in the cluster holds no records of this sweep yet\n"
                    f"    -> {cluster.command('follow', sweep)} says what it does"
                )
            return _unpack(answer, int(answer.getheader(BYTES) or 0), into, received)
        except (OSError, http.client.HTTPException, tarfile.TarError) as error:
            raise LaunchError(
                f"the records were cut short on their way ({type(error).__name__})\n"
                "    -> run the same command again"
            ) from None


@contextmanager
def _running(cluster: Cluster, job: KubeObject, say: Callable[[str], None]) -> Iterator[str]:
    """The name of its pod, once that runs. Without the right to delete it, the job goes a minute later."""
    name = str(job["metadata"]["name"])
    created = cluster.create(JOBS, job)
    try:
        yield _await_pod(cluster, name, say)
    finally:
        with suppress(LaunchError):
            cluster.delete(JOBS, name, str(get(created, "metadata", "uid")))


def _await_pod(cluster: Cluster, job: str, say: Callable[[str], None]) -> str:
    began = reported_at = time.monotonic()
    state = "waits for its pod"
    while time.monotonic() - began < PATIENCE_SECONDS:
        for pod in cluster.every(PODS, labels=f"job-name={job}"):
            name, phase = str(get(pod, "metadata", "name")), get(pod, "status", "phase")
            if phase == "Running":
                return name
            if phase in ("Failed", "Succeeded"):
                raise LaunchError(
                    f"pod {name}, which serves the records, has ended: {_last_words(cluster, name)}\n"
                    "    -> build the image from this version of Frontier, or copy the report through "
                    "k8s/loader-report.yaml"
                )
            state = (
                "; ".join(map(str, pending_pods([pod], [], cluster.command("doctor"))))
                or f"waits for pod {name}: {phase or 'Pending'}"
            )
        if time.monotonic() - reported_at >= _SILENCE_SECONDS:
            reported_at = time.monotonic()
            say(f"fetching the records {state}")
        time.sleep(LOOK_SECONDS)
    raise LaunchError(
        f"no pod of job {job} runs after {PATIENCE_SECONDS:.0f} s: {state}\n"
        "    -> correct what it names, then run the same command again"
    )


def _last_words(cluster: Cluster, pod: str) -> str:
    try:
        lines = cluster.log(pod, 1).splitlines()
    except LaunchError:
        lines = []
    return lines[-1] if lines else "it printed nothing"


def _await_server(cluster: Cluster, pod: str) -> http.client.HTTPConnection:
    """Wait for the server, whose process may have started a moment ago."""
    began = time.monotonic()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=_TIMEOUT_SECONDS)
        try:
            connection.sock = cluster.connect_to(pod, PORT)
            connection.request("HEAD", "/")
            connection.getresponse().read()
            return connection
        except (LaunchError, OSError, http.client.HTTPException) as error:
            connection.close()
            if time.monotonic() - began >= _TIMEOUT_SECONDS:
                raise LaunchError(
                    f"pod {pod}, which serves the records, does not answer ({type(error).__name__})\n"
                    "    -> run the same command again"
                ) from None
            time.sleep(LOOK_SECONDS)


def _unpack(stream: IO[bytes], total: int, into: Path, received: Received) -> int:
    """Raises LaunchError where a file differs from the index, or there is none."""
    digests: dict[str, str] = {}
    index: dict[str, str] | None = None
    size = 0
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or not _below(member.name):
                raise LaunchError(
                    f"the archive of the records has a file that belongs to none of them: {member.name!r}"
                )
            if member.name == INDEX:
                index = json.load(content)
                continue
            path, sha256 = into / member.name, hashlib.sha256()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
                    sha256.update(chunk)
                    size += len(chunk)
                    received(size, max(total, size))
            digests[member.name] = sha256.hexdigest()
    if index != digests:
        raise LaunchError(
            "the archive of the records is incomplete or damaged\n    -> run the same command again"
        )
    return len(digests)


def _below(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts
