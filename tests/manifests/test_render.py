"""From a sweep and an overlay to what is applied: the same bytes, sound, and read back as the same sweep."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden_overlays import GOLDEN, overlay
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.cluster.render import instead_of_template
from orchestrator.cluster.checks import check_manifests
from orchestrator.cluster.documents import parse_documents
from orchestrator.cluster.naming import DNS_1035, LONGEST_JOB_NAME, sweep_id
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.cluster.render import Rendered, render
from orchestrator.config import Inputs, ResolvedSweep, digest_inputs, load_sweep
from orchestrator.config.lock import Lock, LockedRepository, write_lock
from orchestrator.errors import ConfigError
from orchestrator.planning import make_plan

SWEEP: dict[str, Any] = {
    "name": "ours",
    "models": ["demo-tiny"],
    "domains": ["general", "clinical"],
    "methods": ["full", {"name": "lora", "rank": [4, 8]}],
    "tasks": ["demo-ner"],
    "seeds": [12, 34],
    "recipe": {"epochs": 1, "learning_rate": 3e-5},
}
OWN_STORE = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: store, namespace: frontier, annotations: {frontier/allows: object-store}}
spec:
  podSelector: {matchLabels: {ray.io/is-ray-node: "yes"}}
  policyTypes: [Egress]
  egress:
    - to: [{ipBlock: {cidr: 10.20.0.7/32}}]
      ports: [{protocol: TCP, port: 9000}]
"""
RenderSweep = Callable[..., Rendered]


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., ResolvedSweep]:
    def _sweep(*overrides: str, **keys: Any) -> ResolvedSweep:
        file = tmp_path / "ours.yaml"
        file.write_text(yaml.safe_dump(SWEEP | keys))
        return load_sweep(file, overrides, cwd=tmp_path)

    return _sweep


@pytest.fixture
def rendered(sweep: Callable[..., ResolvedSweep], tmp_path: Path) -> RenderSweep:
    def _rendered(name: str = "local-cpu", *overrides: str, **keys: Any) -> Rendered:
        resolved = sweep(*overrides, **keys)
        inputs: Inputs = digest_inputs(resolved, tmp_path / "cache")
        return render(resolved, make_plan(resolved, inputs, {}), overlay(name))

    return _rendered


def read_back(found: Rendered, directory: Path) -> ResolvedSweep:
    """As the driver in the pod does: the ConfigMap as files, with the mount at another place."""
    head = found.ray_job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    [volume] = [volume["configMap"] for volume in head["volumes"] if volume["name"] == "sweep"]
    assert volume["name"] == found.config_map["metadata"]["name"]
    for item in volume["items"]:
        path = directory / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found.config_map["data"][item["key"]].replace("/etc/frontier", str(directory)))
    return load_sweep(directory / "sweep.yaml", [], cwd=Path("/"))


def test_the_same_sweep_gives_the_same_bytes(rendered: RenderSweep) -> None:
    assert rendered().text == rendered().text


def test_the_bytes_are_those_of_the_golden_file(rendered: RenderSweep) -> None:
    """Whoever changes what is rendered sees it here: write `rendered().text` to the file again."""
    assert rendered("onprem").text == (GOLDEN.parent / "rendered" / "ours-onprem.yaml").read_text()


@pytest.mark.parametrize("name", ["local-cpu", "single-gpu", "gke", "eks", "onprem"])
def test_what_is_rendered_is_sound(rendered: RenderSweep, name: str) -> None:
    problems = check_manifests(instead_of_template(overlay(name), rendered(name)), ask_ray=False)
    assert [str(problem) for problem in problems] == []


def test_the_driver_reads_the_sweep_that_was_meant(
    rendered: RenderSweep, sweep: Callable[..., ResolvedSweep], tmp_path: Path
) -> None:
    meant, read = sweep("seeds=7"), read_back(rendered("local-cpu", "seeds=7"), tmp_path / "pod")
    places = {"storage", "capacity"}
    assert read.config.model_dump(exclude=places) == meant.config.model_dump(exclude=places)
    assert [cell.cell for cell in read.grid.cells] == [cell.cell for cell in meant.grid.cells]
    assert [cell.recipe for cell in read.grid.cells] == [cell.recipe for cell in meant.grid.cells]
    assert read.storage == Path("/storage/sweeps")


def test_the_job_runs_the_sweep_and_the_submitter_submits_the_same(rendered: RenderSweep) -> None:
    found = rendered()
    spec = found.ray_job["spec"]
    assert spec["suspend"] is False
    assert spec["submissionMode"] == "K8sJobMode"
    assert spec["entrypoint"] == "frontier run /etc/frontier/sweep.yaml --address auto --exit-zero"
    submitter = spec["submitterPodTemplate"]["spec"]["containers"][0]
    assert submitter["command"] == ["python", "-m", "orchestrator.cluster.submitter"]
    assert submitter["args"] == ["--", spec["entrypoint"]]
    pods = [spec["submitterPodTemplate"], spec["rayClusterSpec"]["headGroupSpec"]["template"]]
    pods += [group["template"] for group in spec["rayClusterSpec"]["workerGroupSpecs"]]
    assert {pod["metadata"]["labels"]["frontier/sweep"] for pod in pods} == {found.sweep_id}
    assert [pod["metadata"]["labels"]["frontier/role"] for pod in pods] == ["submitter", "head", "worker"]


def test_a_change_is_another_config_map_of_the_same_sweep(rendered: RenderSweep) -> None:
    one, other = rendered(), rendered("local-cpu", "recipe.epochs=2")
    assert one.sweep_id == other.sweep_id == one.ray_job["metadata"]["name"]
    assert one.config_map["metadata"]["name"] != other.config_map["metadata"]["name"]
    assert one.config_map["immutable"] is True


def test_the_same_name_at_another_place_is_another_sweep(rendered: RenderSweep) -> None:
    assert rendered().sweep_id != rendered("local-cpu", "storage=/storage/team").sweep_id


def test_the_driver_is_told_what_the_groups_may_grow_to(rendered: RenderSweep) -> None:
    """From nothing, Ray's cluster cannot say how large it may become."""
    assert _file(rendered())["capacity"] == [{"nodes": 2, "cpus": 2}]
    assert _file(rendered("gke", "resources.gpus=1"))["capacity"] == [
        {"nodes": 8, "cpus": 6, "gpus": 1, "device": "nvidia-l4"},
        {"nodes": 8, "cpus": 10, "gpus": 1, "device": "nvidia-a100-80gb"},
        {"nodes": 2, "cpus": 88, "gpus": 8, "device": "nvidia-a100-80gb"},
        {"nodes": 16, "cpus": 6, "gpus": 1, "device": "nvidia-l4"},
    ]
    assert "concurrency" not in _file(rendered())
    assert _file(rendered("local-cpu", "concurrency=1"))["concurrency"] == 1


def test_a_trial_over_several_pods_needs_no_pod_that_holds_it_whole(rendered: RenderSweep) -> None:
    wide = {"cpus": 16, "gpus": 16, "processes": 16, "nodes": 2}
    assert _file(rendered("gke", resources=wide))["resources"] == wide
    with pytest.raises(ConfigError, match=r"the pods do not hold a trial of 24 CPU and 24 GPU over 3 pods"):
        rendered("gke", resources={"cpus": 24, "gpus": 24, "processes": 24, "nodes": 3})


def test_a_trial_that_no_pod_holds_is_refused_before_anything_starts(rendered: RenderSweep) -> None:
    with pytest.raises(ConfigError, match=r"no pod holds a trial of 1 CPU and 1 GPU; there are cpu \(2 CPU"):
        rendered("local-cpu", "resources.gpus=1")


@pytest.mark.parametrize(
    ("overlay", "device", "there"),
    [
        ("gke", "nvidia-h200", "a100x8 (88 CPU, 8 GPU nvidia-a100-80gb)"),
        ("local-cpu", "nvidia-l4", "cpu (2 CPU, 0 GPU)"),
        ("single-gpu", "nvidia-l4", "gpu (4 CPU, 1 GPU)"),  # which does not say what it has
    ],
)
@pytest.mark.parametrize("more", [[], ["concurrency=2"]])
def test_a_device_that_no_group_has_is_refused(
    rendered: RenderSweep, overlay: str, device: str, there: str, more: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        rendered(overlay, *more, resources={"device": device})
    for words in (f"planned for {device}", there, f"the label frontier/device: {device}"):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "announced", "shut"),
    [("gke", False, 4), ("gke", True, 0), ("onprem", False, 2), ("onprem", True, 0)],
)
def test_an_object_store_must_be_within_reach(
    rendered: RenderSweep, name: str, announced: bool, shut: int
) -> None:
    found = rendered(name, "storage=s3://bucket/sweeps")
    assert _file(found)["storage"] == "s3://bucket/sweeps"
    documents = instead_of_template(overlay(name), found)
    if announced:
        documents += parse_documents(OWN_STORE, "the overlay")
    told = [str(problem) for problem in check_manifests(documents, ask_ray=False)]
    assert len(told) == shut
    assert all("the internet:443 is blocked: the records go to s3://bucket/sweeps" in line for line in told)


def test_a_queue_of_the_overlay_becomes_kueues_label(rendered: RenderSweep) -> None:
    labels = rendered("onprem").ray_job["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "sweeps"
    assert "kueue.x-k8s.io/queue-name" not in rendered().ray_job["metadata"]["labels"]


def test_data_is_where_the_overlay_mounts_it(rendered: RenderSweep) -> None:
    files = {"tasks": ["ncbi-disease"]}
    assert _file(rendered("local-cpu", **files))["data_dir"] == "/data"
    assert _file(rendered("local-cpu", "data_dir=/secure/corpora", **files))["data_dir"] == "/data"
    assert _file(rendered("local-cpu", "data_dir=/data/v2", **files))["data_dir"] == "/data/v2"
    assert "data_dir" not in _file(rendered())


def test_catalogues_travel_with_the_sweep(rendered: RenderSweep, tmp_path: Path) -> None:
    """A method of one's own, say."""
    methods = tmp_path / "mine" / "methods"
    methods.mkdir(parents=True)
    (methods / "wide-lora.yaml").write_text("settings: {kind: lora, rank: 64}\n")
    (tmp_path / "mine" / "sweeps").mkdir()
    (tmp_path / "mine" / "sweeps" / "notes.yaml").write_text("not: ours\n")
    keys = {"catalogues": ["mine"], "methods": ["wide-lora"]}
    found = rendered("local-cpu", **keys)
    assert set(found.config_map["data"]) == {"sweep.yaml", "catalogue-0--methods--wide-lora.yaml"}
    read = read_back(found, tmp_path / "pod")
    assert {cell.cell.method for cell in read.grid.cells} == {"wide-lora-r64"}


def test_the_lock_travels_with_the_sweep(rendered: RenderSweep, tmp_path: Path) -> None:
    """The commits of the backbones that this machine has resolved."""
    entry = LockedRepository(hub="some/where", asked="main", commit="0" * 40, files={})
    write_lock(tmp_path / "ours.lock", Lock(backbones={"tinybert": entry}))
    read = read_back(rendered(), tmp_path / "pod")
    assert read.lock.backbones == {"tinybert": entry}


def test_what_does_not_fit_into_a_config_map_is_refused(rendered: RenderSweep, tmp_path: Path) -> None:
    methods = tmp_path / "mine" / "methods"
    methods.mkdir(parents=True)
    note = f"note: {'x' * 600 * 1024}\n"
    for rank in (64, 128):  # each is small enough to be read
        (methods / f"lora-{rank}.yaml").write_text(f"settings: {{kind: lora, rank: {rank}}}\n{note}")
    with pytest.raises(ConfigError, match="a ConfigMap holds 1,048,576"):
        rendered("local-cpu", catalogues=["mine"])


def test_a_rendered_file_is_checked_without_its_overlay(rendered: RenderSweep, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(rendered().text)
    found = CliRunner().invoke(app, ["doctor", "--manifests", str(tmp_path / "ours.yaml")])
    assert (found.exit_code, found.output.split()[-3:]) == (0, ["2", "objects,", "valid"])


@given(st.text(min_size=1, max_size=64), st.text(max_size=64))
def test_a_sweeps_id_is_a_name_that_kuberay_takes(name: str, storage: str) -> None:
    found = sweep_id(name, storage)
    assert DNS_1035.fullmatch(found)
    assert len(found) <= LONGEST_JOB_NAME
    assert found == sweep_id(name, storage)
    assert found != sweep_id(name + "x", storage)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("24Gi", str(24 * 2**30)), ("1e3", "1000"), ("2", "2"), ("4 GB", None), ("", None)],
)
def test_quantities(text: str, value: str | None) -> None:
    found = parse_quantity(text)
    assert (None if found is None else f"{found.normalize():f}") == value


def test_the_verb_writes_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(SWEEP))
    command = ["render", "ours.yaml", "seeds=12", "--overlay", str(GOLDEN / "local-cpu.yaml")]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0, printed.output
    assert CliRunner().invoke(app, [*command, "--out", "made"]).exit_code == 0
    [file] = (tmp_path / "made").iterdir()
    assert file.read_text() == printed.stdout
    assert [body["kind"] for body in yaml.safe_load_all(printed.stdout)] == ["ConfigMap", "RayJob"]
    assert re.fullmatch(r"ours-[0-9a-f]{6}\.yaml", file.name)


def test_a_smoke_run_is_the_same_file_with_the_driver_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(SWEEP))
    command = ["render", "ours.yaml", "--overlay", str(GOLDEN / "local-cpu.yaml"), "--smoke"]
    _, job = yaml.safe_load_all(CliRunner().invoke(app, command).stdout)
    assert job["spec"]["entrypoint"].endswith("--address auto --exit-zero --smoke")
    assert job["metadata"]["name"].startswith("ours-smoke-")


def test_the_doctor_tells_mistakes_and_ends_with_two(tmp_path: Path) -> None:
    broken = (
        (GOLDEN / "gke.yaml").read_text().replace("submissionMode: K8sJobMode", "submissionMode: K8sMode")
    )
    (tmp_path / "broken.yaml").write_text(broken)
    sound = CliRunner().invoke(app, ["doctor", "--manifests", str(GOLDEN / "gke.yaml")])
    assert (sound.exit_code, sound.output.strip()[-5:]) == (0, "valid")
    found = CliRunner().invoke(app, ["doctor", "--manifests", str(tmp_path)])
    assert isinstance(found.exception, ConfigError)
    assert found.exception.exit_code == 2
    assert "did you mean 'K8sJobMode'" in str(found.exception)


@pytest.mark.parametrize("text", ["kind: [", "just words", "- a list"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    found = CliRunner().invoke(app, ["doctor", "--manifests", str(tmp_path / "broken.yaml")])
    assert isinstance(found.exception, ConfigError)


def _file(found: Rendered) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(found.config_map["data"]["sweep.yaml"])
    return loaded


def test_resources_that_the_plan_chooses_name_their_device_in_a_cluster_with_gpus(
    rendered: RenderSweep,
) -> None:
    with pytest.raises(ConfigError, match=r"(?s)resources: leaves its device.*nvidia-a100-80gb"):
        rendered("gke", resources="auto")
    found = rendered("gke", resources={"device": "nvidia-l4", "cpus": 2})
    assert _file(found)["resources"] == {"device": "nvidia-l4", "cpus": 2}
    rendered("local-cpu", resources="auto")


@pytest.mark.parametrize("storage", ["gs://bucket/sweeps", "abfs://container/sweeps"])
def test_a_store_that_the_image_cannot_open_is_refused(rendered: RenderSweep, storage: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s)ours\.yaml: storage: .*cannot open .*s3://bucket/prefix"):
        rendered("gke", f"storage={storage}")


def test_workers_see_the_weights_of_the_sweeps_own_storage_and_cannot_change_them(
    rendered: RenderSweep,
) -> None:
    for storage, path in (("", "sweeps/cache"), ("storage=/storage/team/a", "team/a/cache")):
        found = rendered("gke", *filter(None, [storage]))
        for group in found.ray_job["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
            mounts = group["template"]["spec"]["containers"][0]["volumeMounts"]
            [cache] = [mount for mount in mounts if "subPath" in mount]
            assert cache == {
                "name": "storage",
                "mountPath": f"/storage/{path}",
                "subPath": path,
                "readOnly": True,
            }


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("volume", r"headGroupSpec\.template\.spec\.volumes: no ConfigMap is called 'sweep'.*\n.*-> name"),
        ("mount", r"containers\.0\.volumeMounts: the volume 'sweep' is not mounted at /etc/frontier"),
        ("submitter", r"submitterPodTemplate\.spec\.containers: there is no container"),
    ],
)
def test_a_template_that_lacks_a_place_for_the_sweep_is_refused(
    sweep: Callable[..., ResolvedSweep], tmp_path: Path, place: str, words: str
) -> None:
    documents = overlay("local-cpu")
    [spec] = [document.spec for document in documents if document.kind == "RayJob"]
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    if place == "volume":
        [volume] = [volume for volume in head["volumes"] if volume["name"] == "sweep"]
        volume["name"] = "the-sweep"
    elif place == "mount":
        head["containers"][0]["volumeMounts"][0]["mountPath"] = "/etc/sweep"
    else:
        spec["submitterPodTemplate"]["spec"]["containers"] = []
    resolved = sweep()
    plan = make_plan(resolved, digest_inputs(resolved, tmp_path / "cache"), {})
    with pytest.raises(ConfigError, match=words):
        render(resolved, plan, documents)
