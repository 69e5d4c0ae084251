"""Against a real cluster: `KUBECONFIG=… pytest -m cluster`; never unless that marker is asked for.

The cluster has KubeRay and the overlay (FRONTIER_TEST_OVERLAY, else local-cpu) in the namespace
FRONTIER_NAMESPACE (else frontier), with the image where its nodes find it: the first seven commands of
k8s/README.md. The login may delete pods, and patch quotas and the status of nodes; what needs more rights
or more room than there is, is skipped with the reason. Sweeps of the tests have names of their own, and are
deleted at the end; their records stay in the storage.
"""

from __future__ import annotations

import copy
import itertools
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import Document, dump, load_documents, of_kind
from orchestrator.cluster.kubeconfig import connect
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.resources import NODES, PODS, QUOTAS, RAY_JOBS
from orchestrator.errors import LaunchError
from orchestrator.tracking.ledger import Ledger

GPU = "nvidia.com/gpu"
MINUTES = 60.0
_SWEEP: dict[str, Any] = {
    "models": ["demo-tiny"],
    "domains": ["general", "clinical"],
    "methods": ["full"],
    "tasks": ["demo-outcome"],
    "seeds": [12, 34],
    "recipe": {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3},
    "resources": {"cpus": 1},
    "checkpoint_seconds": 5,
}
_skipped: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(str(item.path)).is_relative_to(Path(__file__).parent)]
    reason = _why_not(config) if here else None
    if reason is not None:
        _skipped.append(f"{len(here)} tests of a real cluster did not run: {reason}")
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in _skipped:
        terminalreporter.write_line(line, yellow=True)


def _why_not(config: pytest.Config) -> str | None:
    if "cluster" not in str(config.getoption("-m")):
        return "they run with `-m cluster` only"
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG is not set"
    try:
        connect(_namespace(), warn=print).every(RAY_JOBS)
    except LaunchError as error:
        return str(error).splitlines()[0]
    return None


def _namespace() -> str:
    return os.environ.get("FRONTIER_NAMESPACE", "frontier")


@dataclass
class Rig:
    """The command line and the eyes of a test."""

    cluster: Cluster
    root: Path
    overlay: str
    names: list[str] = field(default_factory=list)

    def frontier(self, *arguments: str, minutes: float = 20, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from orchestrator.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            cwd=self.root,
            timeout=minutes * MINUTES,
            env=os.environ | {"FRONTIER_NAMESPACE": self.cluster.namespace, "COLUMNS": "200"},
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def written(self, **keys: Any) -> str:
        """The file of a sweep of its own name."""
        name = f"test-{uuid.uuid4().hex[:6]}"
        file = self.root / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"name": name} | _SWEEP | keys))
        self.names.append(name)
        return str(file)

    def lines(self, *arguments: str) -> Iterator[tuple[float, str]]:
        """What a command prints, with the time of each line."""
        with subprocess.Popen(
            [sys.executable, "-u", "-c", "from orchestrator.cli import main; main()", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.root,
            env=os.environ | {"FRONTIER_NAMESPACE": self.cluster.namespace, "COLUMNS": "200"},
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    yield time.monotonic(), line
            finally:
                process.terminate()

    def silences(self, *arguments: str) -> list[float]:
        """Seconds between the lines of a command that is run to its end."""
        times = [at for at, _ in self.lines(*arguments)]
        return [after - before for before, after in itertools.pairwise(times)]

    def heard(self, *arguments: str, seconds: float) -> str:
        """What a command prints within that time."""
        end, said = time.monotonic() + seconds, ""
        for at, line in self.lines(*arguments, "--overlay", self.overlay):
            said += line
            if at > end:
                break
        return said

    def submit(self, *options: str, overlay: str | None = None, code: int = 0, **keys: Any) -> str:
        """A sweep of its own name; gives its id."""
        file = self.written(**keys)
        name = self.names[-1]
        said = self.frontier("submit", file, "--overlay", overlay or self.overlay, *options, code=code)
        found = re.search(rf"{name}-[0-9a-f]+", said)
        assert found is not None, said
        return found[0]

    def job(self, identity: str) -> RayJob | None:
        body = self.cluster.get(RAY_JOBS, identity)
        return None if body is None else RayJob(body)

    def pods(self, identity: str, kind: str = "worker") -> dict[str, str]:
        """Name -> group of the pods that run and stay."""
        found = self.cluster.every(PODS, labels=f"frontier/sweep={identity},ray.io/node-type={kind}")
        return {
            pod["metadata"]["name"]: pod["metadata"]["labels"]["ray.io/group"]
            for pod in found
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        }

    def kill(self, pod: str) -> None:
        """At once: no SIGTERM, no drain."""
        core = self.core()
        core.delete_namespaced_pod(pod, self.cluster.namespace, grace_period_seconds=0)

    def core(self) -> Any:
        from kubernetes import client

        return client.CoreV1Api(client.ApiClient(self.cluster.api.configuration))

    def records(self, identity: str) -> list[dict[str, Any]]:
        """From the storage, through the pod that `frontier fetch` starts, whatever has become of the head."""
        into = self.root / f"fetched-{uuid.uuid4().hex[:6]}"
        self.frontier("fetch", identity, "--into", str(into))
        [sweep] = into.iterdir()
        return [
            {
                "trial": record.name,
                "state": record.state.value,
                "finished": sum(
                    a.outcome is not None and a.outcome.state == "finished" for a in record.current
                ),
                "resumed_from": record.outcome.resumed_from_step if record.outcome else None,
                "test": record.outcome.model_dump(mode="json")["test"] if record.outcome else None,
            }
            for record in Ledger(sweep).trials()
        ]

    def await_that(self, what: str, true: Callable[[], Any], minutes: float = 10) -> Any:
        end = time.monotonic() + minutes * MINUTES
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(2)
        raise AssertionError(f"not within {minutes} minutes: {what}")

    def await_trial_in_training(self, identity: str) -> None:
        """Until a trial has had time to write a checkpoint."""
        self.await_that("a worker runs", lambda: self.pods(identity))
        self.await_that(
            "a trial runs", lambda: re.search(r"[1-9]\d* running", self.frontier("status", identity))
        )
        time.sleep(3 * _SWEEP["checkpoint_seconds"])

    def needs_room(self, pods: int, overlay: str | None = None) -> None:
        """Skip where the cluster's quota has no room for head, submitter and so many workers, or no node for
        one of them, as far as it may be seen."""
        reason = self._no_room(pods, load_documents(overlay or self.overlay))
        if reason is not None:
            pytest.skip(reason)

    def _no_room(self, pods: int, documents: list[Document]) -> str | None:
        [job] = of_kind(documents, "RayJob")
        cluster = job.spec["rayClusterSpec"]
        templates = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
        requests = [t["template"]["spec"]["containers"][0]["resources"]["requests"] for t in templates]
        for body in self.cluster.every(QUOTAS):
            hard, used = body["status"].get("hard", {}), body["status"].get("used", {})
            left = int(hard.get("pods", 10**6)) - int(used.get("pods", 0))
            if left < pods + 2:
                return f"quota {body['metadata']['name']} has room for {left} pods, and {pods + 2} are needed"
        try:
            nodes = [node["status"]["allocatable"] for node in self.cluster.every(NODES)]
        except LaunchError:
            return None  # not for this login to see
        for request in requests:
            if not any(
                all(
                    (parse_quantity(node.get(k, 0)) or 0) >= (parse_quantity(v) or 0)
                    for k, v in request.items()
                )
                for node in nodes
            ):
                return f"no node holds a pod of {request}"
        cpus = sum(parse_quantity(node["cpu"]) or 0 for node in nodes)
        needed = (parse_quantity(requests[0]["cpu"]) or 0) + pods * (parse_quantity(requests[1]["cpu"]) or 0)
        return None if cpus >= needed else f"all nodes have {cpus} CPU, and {needed} are needed"

    def scaled_to(self, name: str, namespace: str, replicas: int) -> int:
        """Give a Deployment so many pods, and return how many it had. Skips where the login may not."""
        from kubernetes import client

        apps = client.AppsV1Api(client.ApiClient(self.cluster.api.configuration))
        try:
            before = int(apps.read_namespaced_deployment_scale(name, namespace).spec.replicas or 0)
            apps.patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": replicas}})
        except client.ApiException as error:
            pytest.skip(f"this login may not scale {namespace}/{name} (HTTP {error.status})")
        return before

    def changed_overlay(self, change: Callable[[dict[str, Any]], None]) -> str:
        """The overlay, with something else in its RayJob. Gives a file."""
        documents = load_documents(self.overlay)
        [job] = of_kind(documents, "RayJob")
        change(job.spec)
        file = self.root / f"{uuid.uuid4().hex}.yaml"
        file.write_text(dump(*(document.body for document in documents)))
        return str(file)

    def two_groups(self, resources: dict[str, str] | None = None) -> str:
        """The overlay with its first group twice, each of one pod: `first` and `second`. `resources` are
        more that the second has. Gives a file."""
        documents = load_documents(self.overlay)
        [job] = of_kind(documents, "RayJob")
        first = job.spec["rayClusterSpec"]["workerGroupSpecs"][0]
        second = copy.deepcopy(first)
        for group, name in ((first, "first"), (second, "second")):
            group |= {"groupName": name, "minReplicas": 0, "replicas": 0, "maxReplicas": 1}
            group["idleTimeoutSeconds"] = 20
        for kind in ("requests", "limits"):
            second["template"]["spec"]["containers"][0]["resources"][kind] |= resources or {}
        job.spec["rayClusterSpec"]["workerGroupSpecs"] = [first, second]
        for quota in of_kind(documents, "ResourceQuota"):
            quota.spec["hard"][f"requests.{GPU}"] = "8"
        file = self.root / f"{uuid.uuid4().hex}.yaml"
        file.write_text(dump(*(document.body for document in documents)))
        return str(file)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    overlay = os.environ.get("FRONTIER_TEST_OVERLAY", "local-cpu")
    rig = Rig(connect(_namespace(), warn=print), tmp_path_factory.mktemp("cluster"), overlay)
    yield rig
    for body in rig.cluster.every(RAY_JOBS):
        if RayJob(body).sweep_name in rig.names:
            rig.cluster.delete(RAY_JOBS, RayJob(body).name)


@pytest.fixture(scope="session")
def long_sweep() -> dict[str, Any]:
    """Long enough to be disturbed."""
    return {"recipe": _SWEEP["recipe"] | {"epochs": int(os.environ.get("FRONTIER_TEST_EPOCHS", "60"))}}


@pytest.fixture(scope="session")
def calm(rig: Rig, long_sweep: dict[str, Any]) -> dict[str, Any]:
    """What the undisturbed long sweep measured: trial -> metrics."""
    records = rig.records(rig.submit(**long_sweep))
    assert {record["state"] for record in records} == {"finished"}
    return {record["trial"]: record["test"] for record in records}


@pytest.fixture
def fake_gpus(rig: Rig) -> Iterator[None]:
    """Gives a node eight GPUs that are none, where no node has any."""
    core = rig.core()
    nodes = rig.cluster.every(NODES)
    if any(GPU in node["status"].get("allocatable", {}) for node in nodes):
        yield
        return
    name, key = nodes[-1]["metadata"]["name"], f"requests.{GPU}"
    hard = {
        quota["metadata"]["name"]: quota["spec"]["hard"][key]
        for quota in rig.cluster.every(QUOTAS)
        if key in quota["spec"]["hard"]
    }
    for quota in hard:
        rig.cluster.patch(QUOTAS, quota, {"spec": {"hard": {key: "8"}}})
    core.patch_node_status(name, {"status": {"capacity": {GPU: "8"}, "allocatable": {GPU: "8"}}})
    yield
    core.patch_node_status(name, {"status": {"capacity": {GPU: None}, "allocatable": {GPU: None}}})
    for quota, before in hard.items():
        rig.cluster.patch(QUOTAS, quota, {"spec": {"hard": {key: before}}})
