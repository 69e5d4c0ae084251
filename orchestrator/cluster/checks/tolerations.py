"""Tolerations that the API server would refuse in the pod, long after it took the job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Pod
from orchestrator.cluster.documents import items
from orchestrator.errors import Problem, did_you_mean

_OPERATORS = ("Exists", "Equal")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def check(pods: Sequence[Pod]) -> Iterator[Problem]:
    for pod in pods:
        for number, toleration in enumerate(items(pod.spec.get("tolerations"))):
            key = f"tolerations.{number}"
            operator, effect = toleration.get("operator") or "Equal", toleration.get("effect")
            if operator not in _OPERATORS:
                fix = did_you_mean(str(operator), _OPERATORS)
                yield pod.problem_at(f"{key}.operator", f"{operator!r} is no operator", fix)
            elif operator == "Exists" and toleration.get("value"):
                yield pod.problem_at(f"{key}.value", "has no place beside operator Exists", "remove it")
            elif operator == "Equal" and not toleration.get("key"):
                yield pod.problem_at(f"{key}.key", "is missing, and the operator is Equal", "name the taint")
            if effect and effect not in _EFFECTS:
                fix = did_you_mean(str(effect), _EFFECTS)
                yield pod.problem_at(f"{key}.effect", f"{effect!r} is no effect of a taint", fix)
