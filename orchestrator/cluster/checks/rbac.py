"""No pod of a sweep has a role over everything: all code that runs in it would have it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Pod
from orchestrator.cluster.documents import Document, items, mapping, of_kind
from orchestrator.errors import Problem

_MIGHTY = ("cluster-admin", "admin", "edit")  # of every cluster
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    ours = {(pod.namespace, str(pod.spec.get("serviceAccountName", "default"))) for pod in pods}
    wild = {
        (role.kind, role.name): fields
        for role in of_kind(documents, "Role", "ClusterRole")
        if (fields := _wildcards(role))
    }
    for binding in of_kind(documents, "RoleBinding", "ClusterRoleBinding"):
        role = mapping(binding.body.get("roleRef"))
        kind, name = str(role.get("kind")), str(role.get("name"))
        if kind == "ClusterRole" and name in _MIGHTY:
            what = f"ClusterRole {name}"
        elif (kind, name) in wild:
            what = f"{kind} {name}, with * in {', '.join(wild[kind, name])}"
        else:
            continue
        for number, subject in enumerate(_subjects(binding, ours)):
            if subject is not None:
                problem = f"{subject} has {what}, and so has all code that a trial runs"
                fix = "remove it: the head has what KubeRay binds to its account, the others need nothing"
                yield binding.problem_at(f"subjects.{number}", problem, fix)


def _wildcards(role: Document) -> list[str]:
    rules = items(role.body.get("rules"))
    return [
        field
        for field in ("apiGroups", "resources", "verbs")
        if any("*" in (rule.get(field) or ()) for rule in rules)
    ]


def _subjects(binding: Document, ours: set[tuple[str, str]]) -> Iterator[str | None]:
    """Yield for each subject which of our pods it is, or None."""
    for subject in items(binding.body.get("subjects")):
        kind, name = subject.get("kind"), str(subject.get("name"))
        account = (str(subject.get("namespace") or binding.namespace), name)
        group = kind == "Group" and name.startswith(_EVERYBODY)
        if kind == "ServiceAccount" and account in ours:
            yield f"service account {name}"
        else:
            yield f"group {name}, to which our pods belong," if group else None
