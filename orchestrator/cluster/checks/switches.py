"""Settings of the environment that a promise rests on: tokens are required, and nothing is reported
outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Pod
from orchestrator.cluster.documents import Document, get, items, mapping, of_kind
from orchestrator.errors import Problem

_RIGHT = {
    "RAY_AUTH_MODE": ("token",),
    "RAY_USAGE_STATS_ENABLED": ("0",),
    "HF_HUB_DISABLE_TELEMETRY": ("1", "true", "True"),
    "MLFLOW_DISABLE_TELEMETRY": ("true", "1", "True"),
    "DO_NOT_TRACK": ("1", "true", "True"),
}
# Secrets, and the pods that may have them: any code that runs there has what a trial or a submitter has.
_READERS = {
    "frontier-mlflow": ("head", "mlflow"),
    "frontier-mlflow-server": ("mlflow", "mlflow-postgres"),
}


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    for config_map in of_kind(documents, "ConfigMap"):
        for name, value in mapping(config_map.body.get("data")).items():
            if _is_wrong(name, value):
                yield config_map.problem_at(f"data.{name}", _problem(value), _fix(name))
    for pod in pods:
        for container in pod.containers:
            for number, env in enumerate(items(container.body.get("env"))):
                switch, given = env.get("name"), env.get("value")
                if _is_wrong(switch, given):
                    problem = f"{pod.role}: {switch} {_problem(given)}"
                    yield pod.problem_at(f"{container.key}.env.{number}.value", problem, _fix(switch))
        yield from _foreign_secrets(pod)


def _is_wrong(name: object, value: object) -> bool:
    return isinstance(name, str) and value is not None and str(value) not in _RIGHT.get(name, (str(value),))


def _problem(value: object) -> str:
    return f"is {str(value)!r}, which turns a promise of SECURITY.md off"


def _fix(name: object) -> str:
    return f"write {_RIGHT[str(name)][0]!r}, or leave it out"


def _foreign_secrets(pod: Pod) -> Iterator[Problem]:
    for key, name in _secrets_of(pod):
        if pod.role not in _READERS.get(name, (pod.role,)):
            problem = (
                f"{pod.role}: it gets the secret {name}, which is for {' and '.join(_READERS[name])} alone"
            )
            yield pod.problem_at(key, problem, "remove it")


def _secrets_of(pod: Pod) -> Iterator[tuple[str, str]]:
    """Yield key and name of each secret that a pod reads."""
    for container in pod.containers:
        for number, source in enumerate(items(container.body.get("envFrom"))):
            if name := get(source, "secretRef", "name"):
                yield f"{container.key}.envFrom.{number}.secretRef", str(name)
        for number, env in enumerate(items(container.body.get("env"))):
            if name := get(env, "valueFrom", "secretKeyRef", "name"):
                yield f"{container.key}.env.{number}.valueFrom.secretKeyRef", str(name)
    for number, volume in enumerate(items(pod.spec.get("volumes"))):
        if name := get(volume, "secret", "secretName"):
            yield f"volumes.{number}.secret", str(name)
        for part in items(get(volume, "projected", "sources")):
            if name := get(part, "secret", "name"):
                yield f"volumes.{number}.projected", str(name)
