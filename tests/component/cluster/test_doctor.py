"""`frontier doctor` against a cluster: everything at once, with remedies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golden_overlays import GOLDEN, overlay
from kubernetes_api import FakeApi, RefusedError

from orchestrator.cluster.documents import of_kind

from .conftest import OVERLAY, Frontier, Said

GPU = "nvidia.com/gpu"


@pytest.fixture
def ready(api: FakeApi) -> FakeApi:
    """A cluster to which the overlay local-cpu was applied."""
    api.objects.clear()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.put("namespaces", "frontier", {"metadata": {"labels": labels}})
    for document in of_kind(overlay("local-cpu"), "ConfigMap", "Service"):
        api.put("configmaps", document.name, dict(document.body))
    for claim in ("frontier-storage", "frontier-data"):
        api.put("persistentvolumeclaims", claim, {"status": {"phase": "Bound"}})
    for secret in ("frontier-mlflow-server", "frontier-mlflow", "frontier-storage"):
        api.put("secrets", secret, {"data": {}})
    quota = {"status": {"hard": {"pods": "100", f"requests.{GPU}": "0"}, "used": {"pods": "3"}}}
    api.put("resourcequotas", "frontier", quota)
    for kind, plural in (("Deployment", "deployments"), ("StatefulSet", "statefulsets")):
        for document in of_kind(overlay("local-cpu"), kind):
            api.put(plural, document.name, {**document.body, "status": {"readyReplicas": 1}}, group="apps")
    operator(api, "quay.io/kuberay/operator:v1.7.0")
    return api


def operator(api: FakeApi, image: str, ready: int = 1) -> None:
    pod = {"spec": {"containers": [{"name": "operator", "image": image}]}}
    labels = {"app.kubernetes.io/name": "kuberay-operator"}
    body: dict[str, Any] = {
        "metadata": {"labels": labels},
        "spec": {"template": pod},
        "status": {"readyReplicas": ready},
    }
    api.put("deployments", "kuberay-operator", body, group="apps", namespace="kuberay-operator")


def doctor(frontier: Frontier, *arguments: str) -> Said:
    return frontier("doctor", OVERLAY, *arguments)


def test_a_cluster_that_is_ready(ready: FakeApi, frontier: Frontier) -> None:
    said = doctor(frontier)
    assert said.code == 0, said.text
    assert "bad " not in said.text
    for words in (
        "Kubernetes v1.36.2",
        "KubeRay 1.7",
        "every right",
        "enforces Pod Security restricted",
        "97 of 100 pods",
        "claim frontier-storage is Bound",
        "Secret frontier-mlflow-server is there",
        "Deployment mlflow, StatefulSet mlflow-postgres: ready",
    ):
        assert words in said.text


def test_mlflow_that_cannot_start_is_bad_and_its_cause_is_said_once(
    ready: FakeApi, frontier: Frontier
) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "frontier-mlflow:3"'}
    for plural, name in (("deployments", "mlflow"), ("statefulsets", "mlflow-postgres")):
        live = ready.objects["apps", plural, "frontier", name]
        live["status"] = {}
        labels = live["spec"]["selector"]["matchLabels"]
        status = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}
        ready.put("pods", name, {"metadata": {"labels": labels}, "status": status})
    said = doctor(frontier)
    assert said.code == 2
    assert said.text.count("ImagePullBackOff") == 1
    assert "bad    Deployment mlflow, StatefulSet mlflow-postgres: ImagePullBackOff" in said.text
    assert "push the image" in said.text
    del ready.objects["apps", "deployments", "frontier", "mlflow"]
    assert "Deployment mlflow: is missing" in doctor(frontier).text


def test_an_operator_without_a_ready_pod_is_bad(ready: FakeApi, frontier: Frontier) -> None:
    operator(ready, "quay.io/kuberay/operator:v1.7.0", ready=0)
    said = doctor(frontier)
    assert said.code == 2
    assert "no pod of KubeRay's operator is ready (namespace kuberay-operator)" in said.text


def test_a_login_that_is_refused_is_said_once(ready: FakeApi, frontier: Frontier) -> None:
    for verb in ("get", "list", "create"):
        for plural in ("namespaces", "deployments", "selfsubjectaccessreviews", "resourcequotas", "secrets"):
            ready.refusals[verb, plural] = RefusedError(401, "Unauthorized")
    said = doctor(frontier)
    assert said.code == 2
    assert said.text.count("authentication failed") == 1


def test_a_login_without_any_right_is_told_in_two_lines(ready: FakeApi, frontier: Frontier) -> None:
    plurals = ("namespaces", "deployments", "resourcequotas", "persistentvolumeclaims", "secrets", "nodes")
    for plural in plurals:
        for verb in ("get", "list"):
            ready.refusals[verb, plural] = RefusedError(403, "forbidden")
    ready.denied = {(verb, "rayjobs") for verb in ("get", "create")}
    said = doctor(frontier)
    assert said.text.count("frontier-user") == 2
    assert "unsure you may not get namespaces, list resourcequotas, get persistentvolumeclaims" in said.text


def test_one_mistake_in_several_pods_is_told_once(ready: FakeApi, frontier: Frontier, tmp_path: Path) -> None:
    text = Path(OVERLAY).read_text().replace("frontier:0.1.0-ray2.60.0", "frontier:latest")
    (tmp_path / "other.yaml").write_text(text)
    said = frontier("doctor", str(tmp_path / "other.yaml"))
    assert said.text.count("is a moving tag") == 1
    assert "more places" in said.text


def test_a_submission_asks_the_cluster_before_it_prices_the_grid(api: FakeApi, submit: Frontier) -> None:
    api.refusals["list", "rayjobs"] = RefusedError(401, "Unauthorized")
    said = submit()
    assert said.code == 3
    assert "authentication failed" in said.text
    assert "trials to run" not in said.text


def test_everything_that_is_wrong_is_told_at_once(ready: FakeApi, frontier: Frontier) -> None:
    operator(ready, "quay.io/kuberay/operator:v1.4.2")
    ready.denied = {("patch", "rayjobs"), ("delete", "rayjobs"), ("get", "secrets")}
    for gone in (("secrets", "frontier-mlflow-server"), ("persistentvolumeclaims", "frontier-data")):
        del ready.objects["", gone[0], "frontier", gone[1]]
    ready.put("resourcequotas", "frontier", {"status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}})
    said = doctor(frontier)
    assert said.code == 2
    for words in (
        "KubeRay 1.4 is older than 1.6",
        "you may not patch, delete rayjobs.ray.io",
        "get secrets",
        "frontier-user",
        "quota frontier is used up: pods",
        "there is no claim frontier-data",
        "there is no Secret frontier-mlflow-server",
        "make-secrets.sh",
    ):
        assert words in said.text


def test_every_right_that_the_verbs_use_is_asked_for(
    ready: FakeApi, frontier: Frontier, submit: Frontier
) -> None:
    """Whatever the other verbs send, the doctor knows of."""
    submit()
    submit("--no-follow")
    frontier("stop", "ours")
    frontier("resume", "ours", "--no-follow")
    used = {(verb, plural) for verb, plural in ready.seen if plural != "selfsubjectaccessreviews"}
    ready.denied = used
    text = " ".join(line for line in doctor(frontier).text.splitlines() if "you may not" in line)
    for verb, plural in used:
        assert any(verb in line.split(plural)[0] for line in text.split("you may not") if plural in line), (
            f"{verb} {plural}"
        )


def test_no_kuberay(ready: FakeApi, frontier: Frontier) -> None:
    ready.groups.remove("ray.io")
    said = doctor(frontier)
    assert said.code == 2
    assert "KubeRay is not installed" in said.text
    assert "claim frontier-storage is Bound" in said.text


def test_what_one_may_not_look_at_is_no_mistake(ready: FakeApi, frontier: Frontier) -> None:
    for plural in ("namespaces", "deployments", "nodes", "storageclasses"):
        for verb in ("get", "list"):
            ready.refusals[verb, plural] = RefusedError(403, "forbidden")
    said = doctor(frontier)
    assert said.code == 0, said.text
    assert "1.6 or later by its schema" in said.text
    assert "unsure you may not get namespaces" in said.text


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([{GPU: "8"}, {}], ["1 of 2 nodes have GPUs, 8 in all"]),
        ([{}], ["0 of 1 nodes have GPUs", f"group gpu: no node has 1 {GPU} now", "on demand"]),
    ],
)
def test_gpus_of_the_nodes(
    ready: FakeApi, frontier: Frontier, nodes: list[dict[str, str]], words: list[str]
) -> None:
    for number, allocatable in enumerate(nodes):
        ready.put("nodes", f"n{number}", {"status": {"allocatable": {"cpu": "8"} | allocatable}})
    said = frontier("doctor", str(GOLDEN / "single-gpu.yaml"))
    for expected in words:
        assert expected in said.text


def test_claims_that_wait_need_a_storage_class(ready: FakeApi, frontier: Frontier) -> None:
    ready.put("persistentvolumeclaims", "frontier-storage", {"status": {"phase": "Pending"}})
    ready.put("storageclasses", "slow", {}, group="storage.k8s.io")
    said = doctor(frontier)
    assert said.code == 2
    assert "no storage class is the default" in said.text


def test_a_cluster_out_of_reach(frontier: Frontier, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.config import kube_config

    from orchestrator.cluster import kubeconfig

    monkeypatch.setattr(kubeconfig, "_TRIES", 0)
    path = kube_config.KUBE_CONFIG_DEFAULT_LOCATION
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(host, "http://127.0.0.1:1"))
    said = doctor(frontier)
    assert said.code == 3
    assert "http://127.0.0.1:1 does not answer" in said.text
    assert "VPN" in said.text


def test_no_kubeconfig(frontier: Frontier, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere/kubeconfig")
    said = doctor(frontier)
    assert said.code == 3
    assert "no cluster to talk to" in said.text
    assert "KUBECONFIG" in said.text


def test_a_kubeconfig_that_is_no_yaml(
    frontier: Frontier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from kubernetes.config import kube_config

    (broken := tmp_path / "kubeconfig").write_text("clusters: [")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(broken))
    said = doctor(frontier)
    assert said.code == 3
    assert "no cluster to talk to: the kubeconfig cannot be read" in said.text


def test_an_unknown_context(frontier: Frontier) -> None:
    said = doctor(frontier, "--context", "elsewhere")
    assert said.code == 3
    assert "elsewhere" in said.text


def test_the_client_library_is_missing(frontier: Frontier, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "kubernetes", None)
    said = doctor(frontier)
    assert said.code == 3
    assert "frontier-sweeps[k8s]" in said.text
