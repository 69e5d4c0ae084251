"""Secrets are named in manifests, and never written into them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Pod
from orchestrator.cluster.documents import Document, items, mapping, of_kind
from orchestrator.errors import Problem

_NAME = re.compile(r"(^|_)(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIALS?|(API|ACCESS|PRIVATE|SECRET)_KEY)(_|$)")
_A_PLACE = re.compile(r"_(FILE|PATH|DIR)$")  # the path of a secret, not a secret
_URI = re.compile(r"://[^/\s:@$]+:[^/\s@$]+@")  # with a user's password
_REMEDY = "put it into a Secret of the cluster, and name that by secretKeyRef or secretRef"


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    for secret in of_kind(documents, "Secret"):
        for field in ("data", "stringData"):
            if secret.body.get(field):
                problem = "a Secret with its values would be in git"
                fix = "let External Secrets, or a script like components/mlflow/make-secrets.sh, make it"
                yield secret.problem_at(field, problem, fix)
    for config_map in of_kind(documents, "ConfigMap"):
        for name, value in mapping(config_map.body.get("data")).items():
            if _is_secret(str(name), value):
                yield config_map.problem_at(f"data.{name}", "a secret in the clear", _REMEDY)
    for pod in pods:
        for container in pod.containers:
            for number, env in enumerate(items(container.body.get("env"))):
                if _is_secret(str(env.get("name")), env.get("value")):
                    key = f"{container.key}.env.{number}.value"
                    problem = f"{pod.role}: {env.get('name')} is a secret in the clear"
                    yield pod.problem_at(key, problem, _REMEDY)


def _is_secret(name: str, value: object) -> bool:
    if not isinstance(value, str) or not value:
        return False
    secret_name = _NAME.search(name.upper()) is not None and _A_PLACE.search(name.upper()) is None
    return secret_name or ("\n" not in value and _URI.search(value) is not None)
