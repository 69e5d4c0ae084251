"""Every overlay is sound, is what the golden files hold, and speaks of one version of everything."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden_overlays import GOLDEN, OVERLAYS, overlay

from orchestrator.cluster.checks import check_manifests
from orchestrator.cluster.checks.pods import created_pods
from orchestrator.cluster.documents import Document, load_documents, of_kind, overlays

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"


def test_every_overlay_is_sound(each_overlay: list[Document]) -> None:
    assert [str(problem) for problem in check_manifests(each_overlay)] == []


def test_every_overlay_has_a_golden_file() -> None:
    assert overlays() == OVERLAYS


@pytest.mark.usefixtures("kubectl")
@pytest.mark.parametrize("name", OVERLAYS)
def test_golden_files_are_fresh(name: str) -> None:
    """`kubectl kustomize k8s/overlays/NAME > tests/manifests/golden/NAME.yaml` writes one again."""
    golden = yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text())
    assert [document.body for document in load_documents(name)] == list(golden)


@pytest.mark.parametrize("file", ["loader.yaml", "loader-report.yaml"])
def test_the_loaders_fit_into_every_overlay(each_overlay: list[Document], file: str) -> None:
    loader = load_documents(str(K8S / file))
    assert [str(problem) for problem in check_manifests([*each_overlay, *loader], ask_ray=False)] == []
    images = {str(c.body["image"]) for pod in created_pods(loader) for c in pod.containers}
    assert images <= {
        str(c.body.get("image"))
        for pod in created_pods(overlay("local-cpu"))
        for c in pod.containers
        if c.body
    }


def test_the_admission_policies_are_whole_and_about_what_the_overlays_have(
    each_overlay: list[Document],
) -> None:
    """What they permit was tried with a CEL interpreter, and in no cluster yet."""
    policies = load_documents(str(K8S / "admission.yaml"))
    assert [str(c) for c in check_manifests([*each_overlay, *policies], ask_ray=False)] == []
    named = set(re.findall(r"frontier-[a-z]+", " ".join(str(policy.spec) for policy in policies)))
    secrets = {"frontier-mlflow"}  # made by hand
    known = {document.name for document in each_overlay} | secrets | {"frontier-reports", "frontier-users"}
    known |= {"frontier-fetch"}  # how the names of the Jobs of `frontier fetch` begin
    assert {name for name in named if name not in known} <= {"frontier-storage"}
    bound = {b.spec["policyName"] for b in of_kind(policies, "ValidatingAdmissionPolicyBinding")}
    assert bound == {p.name for p in of_kind(policies, "ValidatingAdmissionPolicy")}


def test_whoever_fetches_reports_reaches_no_corpus_and_changes_no_record() -> None:
    [pod] = load_documents(str(K8S / "loader-report.yaml"))
    [container] = pod.spec["containers"]
    assert [(m["name"], m["readOnly"]) for m in container["volumeMounts"]] == [("storage", True)]
    claims = [v["persistentVolumeClaim"] for v in pod.spec["volumes"]]
    assert claims == [{"claimName": "frontier-storage", "readOnly": True}]


def test_workers_of_the_shipped_overlays_reach_no_network_outside(each_overlay: list[Document]) -> None:
    """They hold the notes. What a bucket needs is an overlay's own decision."""
    for policy in of_kind(each_overlay, "NetworkPolicy"):
        blocks = [
            end for rule in policy.spec.get("egress", []) for end in rule.get("to", []) if "ipBlock" in end
        ]
        if blocks:
            assert policy.spec["podSelector"] == {"matchLabels": {"ray.io/node-type": "head"}}


def test_every_component_is_used() -> None:
    used = {
        Path(component).name
        for name in OVERLAYS
        for component in yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text())[
            "components"
        ]
    }
    assert used == {path.parent.name for path in K8S.glob("components/*/kustomization.yaml")}


def test_applying_an_overlay_starts_no_sweep(each_overlay: list[Document]) -> None:
    [job] = of_kind(each_overlay, "RayJob")
    assert job.spec["suspend"] is True
    assert "kueue.x-k8s.io/queue-name" not in job.metadata.get("labels", {})


def test_no_secret_is_in_the_repository(each_overlay: list[Document]) -> None:
    assert of_kind(each_overlay, "Secret") == []


def test_mlflow_works_without_an_object_store(each_overlay: list[Document]) -> None:
    """Nothing of ours logs an artifact, no store is shipped, and the server could reach none."""
    [env] = [d for d in of_kind(each_overlay, "ConfigMap") if d.name.startswith("mlflow-env-")]
    assert "://" not in env.body["data"]["MLFLOW_DEFAULT_ARTIFACT_ROOT"]
    [server] = [d for d in of_kind(each_overlay, "Deployment") if d.name == "mlflow"]
    assert "frontier-storage" not in str(server.body)


def test_pods_on_eks_say_which_market_they_buy_in() -> None:
    pods = [pod for pod in created_pods(overlay("eks")) if pod.role == "head" or pod.is_worker]
    markets = {pod.role: pod.spec["nodeSelector"].get("karpenter.sh/capacity-type") for pod in pods}
    assert markets.pop("worker l4-spot") == "spot"
    assert set(markets.values()) == {"on-demand"}, markets


def test_alerts_and_panels_speak_of_metrics_that_somebody_exports(each_overlay: list[Document]) -> None:
    """Ray, KubeRay and kube-state-metrics do; Frontier exports none, so its retries are in no alert."""
    watched = [d.body for d in each_overlay if d.kind == "PrometheusRule" or "-dashboard-" in d.name]
    metrics = re.findall(r"\b([a-z]+_[a-z_]+)\{", str(watched))
    assert bool(metrics) is bool(watched)
    assert {metric.partition("_")[0] for metric in metrics} <= {"ray", "kuberay", "kube"}
    assert "retr" not in str(watched).lower()


def test_ray_has_one_version_from_the_lock_to_the_cluster(each_overlay: list[Document]) -> None:
    locked = _locked("ray")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = next(d for d in project["dependencies"] if d.startswith("ray["))
    image = re.search(r"^ARG RAY_VERSION=(\S+)$", (K8S / "images/Dockerfile").read_text(), re.MULTILINE)
    [job] = of_kind(each_overlay, "RayJob")
    tags = {
        str(container.body["image"]).partition(":")[2]
        for pod in created_pods([job])
        for container in pod.containers
        if not container.made_by_kuberay
    }
    assert declared.split("==")[1] == locked
    assert image is not None
    assert image[1] == locked
    assert job.spec["rayClusterSpec"]["rayVersion"] == locked
    assert tags == {f"{project['version']}-ray{locked}"}


def test_mlflow_has_one_version(each_overlay: list[Document]) -> None:
    images = [
        container.body["image"]
        for pod in created_pods(each_overlay)
        for container in pod.containers
        if "frontier-mlflow" in str(container.body.get("image"))
    ]
    assert images
    assert {image.rpartition(":")[2] for image in images} == {_locked("mlflow")}


def _locked(package: str) -> str:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return next(line.split("==")[1] for line in lines if line.startswith(f"{package}=="))


def test_a_pod_with_the_gpu_of_one_machine_asks_for_the_runtime_of_its_driver() -> None:
    """k3s, which that overlay is for, does not make it the default."""
    asked = {
        pod.spec.get("runtimeClassName")
        for pod in created_pods(overlay("single-gpu"))
        for container in pod.containers
        if "nvidia.com/gpu" in str(container.body)
    }
    assert asked == {"nvidia"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_secret_is_an_argument_of_a_process(name: str) -> None:
    """Accounts of the node read arguments."""
    documents = overlay(name)
    told = {
        (pod.role, container.name): words
        for pod in created_pods(documents)
        for container in pod.containers
        if (words := secret_arguments(container.body, documents))
    }
    assert told == {}


VARIABLE = re.compile(r"(?<!\$)\$\(([^)]+)\)")


def secret_arguments(container: dict[str, Any], documents: list[Document]) -> list[str]:
    """Return the arguments that take a variable whose value the manifests do not show.

    Kubernetes fills `$(NAME)` from `env` and `envFrom`. Shown are values in `env` and those of a ConfigMap.
    """
    maps = {
        document.name: set(document.body.get("data", {}))
        for document in documents
        if document.kind == "ConfigMap"
    }
    shown: set[str] = set()
    for source in container.get("envFrom", ()):
        keys = maps.get(source.get("configMapRef", {}).get("name"), set())
        shown |= {source.get("prefix", "") + key for key in keys}
    for variable in container.get("env", ()):
        shown.discard(variable["name"])
        source = variable.get("valueFrom", {})
        if "secretKeyRef" not in source and set(VARIABLE.findall(variable.get("value", ""))) <= shown:
            shown.add(variable["name"])
    words = [*container.get("command", ()), *container.get("args", ())]
    return [word for word in words if not set(VARIABLE.findall(word)) <= shown]


@pytest.mark.parametrize(
    ("variables", "is_secret"),
    [
        ({"env": [{"name": "X", "value": "plain"}]}, False),
        ({"envFrom": [{"configMapRef": {"name": "known"}}]}, False),
        ({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}, False),
        ({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, True),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, True),
        ({"envFrom": [{"secretRef": {"name": "s"}}], "env": [{"name": "X", "value": "$(PASSWORD)"}]}, True),
    ],
)
def test_a_variable_of_a_secret_is_seen_however_a_container_comes_by_it(
    variables: dict[str, Any], is_secret: bool
) -> None:
    known = Document("test", {"kind": "ConfigMap", "metadata": {"name": "known"}, "data": {"X": "plain"}})
    container = {"command": ["run", "--url=$(X)", "$$(NOT_FILLED)"], **variables}
    assert secret_arguments(container, [known]) == (["--url=$(X)"] if is_secret else [])
