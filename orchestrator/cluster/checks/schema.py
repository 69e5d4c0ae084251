"""Shapes: every object against the schema of its kind, with unknown fields refused.

`ray.io_v1.json` holds KubeRay's own schemas; the built-in kinds come from `kubernetes-validate` where it is
installed. Of the kinds that other projects define, the fields of `spec` are known here by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING

from orchestrator.cluster.documents import Document, KubeObject, mapping
from orchestrator.errors import LaunchError, Problem, did_you_mean

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

# Fields of `spec`, or of the object where it has none.
_THIRD_PARTIES: dict[tuple[str, str], set[str]] = {
    ("kueue.x-k8s.io", "ResourceFlavor"): {"nodeLabels", "nodeTaints", "tolerations", "topologyName"},
    ("kueue.x-k8s.io", "ClusterQueue"): {
        "admissionChecksStrategy",
        "cohortName",
        "fairSharing",
        "flavorFungibility",
        "namespaceSelector",
        "preemption",
        "queueingStrategy",
        "resourceGroups",
        "stopPolicy",
    },
    ("kueue.x-k8s.io", "LocalQueue"): {"clusterQueue", "fairSharing", "stopPolicy"},
    ("kueue.x-k8s.io", "WorkloadPriorityClass"): {"value", "description"},
    ("monitoring.coreos.com", "PodMonitor"): {
        "jobLabel",
        "namespaceSelector",
        "podMetricsEndpoints",
        "podTargetLabels",
        "sampleLimit",
        "selector",
    },
    ("monitoring.coreos.com", "PrometheusRule"): {"groups"},
}
_AROUND = {"apiVersion", "kind", "metadata", "spec"}


def check(documents: Sequence[Document]) -> Iterator[Problem]:
    """Raises LaunchError where the package for schemas is not installed."""
    if find_spec("jsonschema") is None:
        raise LaunchError("manifests are checked with jsonschema\n    -> pip install 'frontier-sweeps[k8s]'")
    for document in documents:
        if not document.name:
            yield document.problem_at("metadata.name", "has no name", "give it one")
        if document.group == "ray.io":
            yield from _ray(document)
        elif "." in document.group and not document.group.endswith(".k8s.io"):
            yield from _third_party(document)
        else:
            yield from _built_in(document)


def _ray(document: Document) -> Iterator[Problem]:
    version, kinds = document.body.get("apiVersion"), ray_schemas()["kinds"]
    if version != "ray.io/v1":
        yield document.problem_at("apiVersion", f"{version!r} is not served", "write ray.io/v1")
    elif document.kind not in kinds:
        fix = did_you_mean(document.kind, kinds)
        yield document.problem_at("kind", f"{document.kind!r} is not used here", fix)
    else:
        yield from _errors(document, _ray_validator(document.kind))


def built_in_kinds_are_known() -> bool:
    """Return whether the schemas of Kubernetes itself are installed."""
    return find_spec("kubernetes_validate") is not None


@cache
def ray_schemas() -> KubeObject:
    text = resources.files(__package__).joinpath("ray.io_v1.json").read_text(encoding="utf-8")
    loaded: KubeObject = json.loads(text)
    return loaded


@cache
def _ray_validator(kind: str) -> Validator:
    from jsonschema import Draft202012Validator

    schemas = ray_schemas()
    return Draft202012Validator({**schemas["kinds"][kind], "$defs": schemas["$defs"]})


def _built_in(document: Document) -> Iterator[Problem]:
    if not built_in_kinds_are_known():
        return
    validator = _built_in_validator(str(document.body.get("apiVersion")), document.kind)
    if validator is None:
        problem = f"{document.kind!r} of {document.body.get('apiVersion')!r} is no kind of Kubernetes"
        yield document.problem_at("kind", problem, "correct kind and apiVersion")
    else:
        yield from _errors(document, validator)


@cache
def _built_in_validator(api_version: str, kind: str) -> Validator | None:
    """Return the schema of a kind, or None if there is none."""
    from jsonschema import Draft202012Validator
    from kubernetes_validate import utils
    from referencing import Registry, Resource

    folder = f"kubernetes-json-schema/v{utils.latest_version()}-local-strict"
    group, _, version = api_version.rpartition("/")
    stem = f"{kind.lower()}-{group.split('.')[0]}-{version}" if group else f"{kind.lower()}-{version}"
    try:
        schema = utils.schema_contents(f"{folder}/{stem}.json", utils.latest_version())
    except FileNotFoundError:
        return None
    shared = Resource.from_contents(_shared_definitions(folder))
    return Draft202012Validator(schema, registry=shared @ Registry())


@cache
def _shared_definitions(folder: str) -> KubeObject:
    from kubernetes_validate import utils

    shared: KubeObject = utils.schema_contents(f"{folder}/_definitions.json", utils.latest_version())
    return shared


def _errors(document: Document, validator: Validator) -> Iterator[Problem]:
    for error in validator.iter_errors(document.body):
        path, schema = ".".join(str(part) for part in error.absolute_path), mapping(error.schema)
        if error.validator == "additionalProperties":
            allowed = list(mapping(schema.get("properties")))
            for name in sorted(set(map(str, mapping(error.instance))) - set(allowed)):
                where = f"{path}.{name}" if path else name
                yield document.problem_at(where, "unknown field", did_you_mean(name, allowed))
        elif error.validator == "required":
            missing = error.message.split("'")[1]
            where = f"{path}.{missing}" if path else missing
            yield document.problem_at(where, "is missing", "give it a value")
        elif error.validator == "enum":
            allowed = [str(value) for value in schema["enum"]]
            got = str(error.instance)
            yield document.problem_at(path, f"{got!r} is not allowed", did_you_mean(got, allowed))
        else:
            expected = schema.get("type", error.validator_value)
            fix = f"give {expected if isinstance(expected, str) else 'what the schema of its kind asks for'}"
            yield document.problem_at(path, f"{_shown(error.instance)} does not fit", fix)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _third_party(document: Document) -> Iterator[Problem]:
    fields = _THIRD_PARTIES.get((document.group, document.kind))
    if fields is None:
        kinds = [kind for group, kind in _THIRD_PARTIES if group == document.group]
        problem = f"{document.kind!r} of {document.body.get('apiVersion')!r} is not known to this checker"
        yield document.problem_at("kind", problem, did_you_mean(document.kind, kinds))
        return
    prefix, body = ("spec.", document.spec) if "spec" in document.body else ("", document.body)
    allowed = fields if prefix else fields | _AROUND
    for name in sorted(set(body) - allowed):
        yield document.problem_at(f"{prefix}{name}", "unknown field", did_you_mean(name, allowed))
