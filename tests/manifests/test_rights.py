"""What the role of users permits: the commands of k8s/README.md that are theirs, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from golden_overlays import overlay

from orchestrator.cluster.documents import of_kind
from orchestrator.cluster.permissions import NEEDED

LOADER, REPORTS = (
    yaml.safe_load((Path(__file__).parents[2] / "k8s" / file).read_text())["metadata"]["name"]
    for file in ("loader.yaml", "loader-report.yaml")
)
COPYING = [
    ("pods", "create", ""),
    ("pods", "get", REPORTS),
    ("pods", "list", ""),
    ("pods", "watch", ""),
    ("pods", "delete", REPORTS),
    ("pods/exec", "get", REPORTS),
    ("pods/exec", "create", REPORTS),
]
VERBS = [
    (resource.plural + (f"/{part}" if part else ""), verb, "any")
    for resource, part, verbs in NEEDED
    for verb in verbs
]


def permitted(resource: str, verb: str, name: str) -> bool:
    [role] = of_kind(overlay("local-cpu"), "Role")
    rules: list[dict[str, Any]] = role.body["rules"]
    return any(
        resource in rule["resources"]
        and verb in rule["verbs"]
        and ("resourceNames" not in rule or name in rule["resourceNames"])
        for rule in rules
    )


@pytest.mark.parametrize(("resource", "verb", "name"), [*VERBS, *COPYING])
def test_users_may_do_what_the_verbs_and_the_reports_need(resource: str, verb: str, name: str) -> None:
    assert permitted(resource, verb, name)


@pytest.mark.parametrize(
    ("resource", "verb"),
    [
        ("pods/exec", "create"),
        ("pods", "delete"),
        ("secrets", "list"),
        ("secrets", "create"),
        ("networkpolicies", "delete"),
        ("resourcequotas", "patch"),
        ("rolebindings", "create"),
    ],
)
def test_users_may_do_no_more(resource: str, verb: str) -> None:
    assert not permitted(resource, verb, "mlflow-0")
    assert not permitted(resource, verb, LOADER)  # which holds the corpora
