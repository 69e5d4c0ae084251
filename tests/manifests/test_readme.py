"""k8s/README.md: its commands and links exist, and its tables say what the manifests say."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from golden_overlays import OVERLAYS, overlay

from orchestrator.cli.app import app
from orchestrator.cluster.checks.pods import created_pods
from orchestrator.cluster.documents import get, of_kind
from orchestrator.cluster.quantities import parse_quantity

K8S = Path(__file__).parents[2] / "k8s"
README = (K8S / "README.md").read_text()
CODE = "\n".join(re.findall(r"```\n(.*?)```", README, re.DOTALL))
GIB = Decimal(2**30)


@pytest.mark.parametrize(("part", "commands"), [("administrator", 8), ("user", 2)])
def test_ten_commands_lead_to_a_report_and_each_is_explained(part: str, commands: int) -> None:
    section = re.split(r"\n##+ ", README.partition(f"### The {part}'s part\n")[2])[0]
    block = re.findall(r"```\n(.*?)```", section, re.DOTALL)[0]
    assert len(block.splitlines()) == commands
    assert re.findall(r"^(\d+)\. ", section, re.MULTILINE) == [str(n + 1) for n in range(commands)]


def test_the_users_commands_need_no_kubectl() -> None:
    section = re.split(r"\n##+ ", README.partition("### The user's part\n")[2])[0]
    [block] = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    assert "kubectl" not in block


def test_verbs_and_targets_exist() -> None:
    words = CODE + "\n".join(re.findall(r"`([^`\n]+)`", README))
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    targets = set(re.findall(r"^([a-z-]+):", (K8S.parent / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|/)frontier ([a-z]+)", words, re.MULTILINE)) - verbs == set()
    assert set(re.findall(r"(?m)^make ([a-z-]+)", words)) <= targets


def test_files_that_it_names_exist() -> None:
    named = re.findall(r"(?:k8s/|configs/)[\w./-]+[\w]", CODE)
    named += [
        f"k8s/{path}" for path in re.findall(r"`((?:components|overlays|base|images)/[\w./-]*)`", README)
    ]
    missing = [path for path in named if not (K8S.parent / path).exists() and not path.endswith("build/k8s")]
    assert missing == []


@pytest.mark.parametrize("part", ["overlays", "components"])
def test_every_part_is_in_the_table(part: str) -> None:
    table = README.partition("## What there is")[2].partition("\n## ")[0]
    for directory in (K8S / part).iterdir():
        assert f"`{part}/{directory.name}`" in table or f"`{directory.name}`" in table


def test_images_are_those_of_the_manifests() -> None:
    built = set(re.findall(r"-t (\S+)", CODE))
    pods = created_pods(overlay("local-cpu"))
    used = {str(c.body["image"]) for pod in pods for c in pod.containers if not c.made_by_kuberay}
    assert built == {image for image in used if not image.startswith("postgres")}


def test_costs_are_those_of_the_manifests() -> None:
    """Each worker group's row: CPU, memory and GPUs of one pod, and from how many to how many."""
    table = README.partition("## What it costs")[2]
    rows = {}
    for line in re.findall(r"^\| worker (.*)\|$", table, re.MULTILINE):
        cells = [cell.strip() for cell in line.split("|")]
        for number, name in enumerate(re.findall(r"`([\w-]+)`", cells[0])):
            rows[name] = (cells[1], cells[2], cells[3] or "0", cells[4], number)
    groups = {}
    for name in OVERLAYS:
        for job in of_kind(overlay(name), "RayJob"):
            for group in job.spec["rayClusterSpec"]["workerGroupSpecs"]:
                groups[group["groupName"]] = group
    assert set(rows) == set(groups)
    for name, (cpu, memory, gpu, when, number) in rows.items():
        limits = get(groups[name]["template"]["spec"]["containers"][0], "resources", "limits")
        wanted = parse_quantity(limits["memory"])
        assert wanted is not None
        assert (cpu, memory, gpu) == (
            limits["cpu"],
            f"{wanted / GIB:.0f} GiB",
            str(limits.get("nvidia.com/gpu", 0)),
        )
        most = [
            int(found)
            for found in re.findall(r"(?:to|or) (\d+)|^(\d+) during", when)
            for found in found
            if found
        ]
        assert most[number] == groups[name]["maxReplicas"]


def test_secrets_are_those_of_the_manifests() -> None:
    table = README.partition("## Secrets")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE))
    used = set(
        re.findall(
            r"(?:secretName|secretRef|secretKeyRef)\W+(?:key: \S+\s+)?name: (\S+)|secretName: (\S+)",
            (Path(__file__).parent / "golden" / "gke.yaml").read_text(),
        )
    )
    assert {name for pair in used for name in pair if name} == told
