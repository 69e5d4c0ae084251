"""Derives `orchestrator/cluster/checks/ray.io_v1.json` from KubeRay's published schemas.

    python tests/manifests/derive_schema.py rayjob.schema.json raycluster.schema.json > OUT

The inputs are the openAPIV3Schema of ray.io/v1 RayJob and RayCluster, as in KubeRay's custom resource
definitions (github.com/ray-project/kuberay, v1.7.0, Apache-2.0, ray-operator/config/crd/bases). Unknown
fields are closed, what only an API server uses is left out, and parts that recur (pod templates) stand once.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

_SERVER_SIDE = ("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type")
_SERVER_SIDE += ("x-kubernetes-validations", "x-kubernetes-int-or-string", "default", "description", "format")
_LEAST = 200  # characters of a part worth a name
COMMENT = (
    "Derived from the ray.io/v1 custom resource definitions of KubeRay v1.7.0 "
    "(github.com/ray-project/kuberay, Apache-2.0) by tests/manifests/derive_schema.py: "
    "unknown fields closed, recurring parts named once."
)


def closed(schema: Any) -> Any:
    """A schema without what only a server uses, and with no room for unknown fields."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _SERVER_SIDE:
            continue
        if key == "properties":
            out[key] = {name: closed(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = closed(value)
        elif key == "anyOf":
            out[key] = [closed(part) for part in value]
        else:
            out[key] = value
    if "properties" in out:
        out.setdefault("additionalProperties", False)
    return out


def named(schemas: dict[str, Any]) -> dict[str, Any]:
    """The same schemas with `$defs` for what recurs."""
    counts: Counter[str] = Counter()

    def count(part: Any) -> None:
        if isinstance(part, dict):
            text = json.dumps(part, sort_keys=True)
            if "properties" in part and len(text) >= _LEAST:
                counts[text] += 1
            for value in part.values():
                count(value)

    for schema in schemas.values():
        count(schema)
    definitions: dict[str, Any] = {}

    def replace(part: Any) -> Any:
        if isinstance(part, list):
            return [replace(item) for item in part]
        if not isinstance(part, dict):
            return part
        text = json.dumps(part, sort_keys=True)
        inner = {key: replace(value) for key, value in part.items()}
        if counts[text] < 2 or "properties" not in part:
            return inner
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
        definitions[name] = inner
        return {"$ref": f"#/$defs/{name}"}

    kinds = {kind: replace(schema) for kind, schema in schemas.items()}
    return {"$comment": COMMENT, "kinds": kinds, "$defs": dict(sorted(definitions.items()))}


def main() -> None:
    job, cluster = (closed(json.loads(Path(path).read_text())) for path in sys.argv[1:3])
    for schema in (job, cluster):
        schema["properties"]["metadata"] = {"type": "object"}
        schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    print(json.dumps(named({"RayJob": job, "RayCluster": cluster}), separators=(",", ":"), sort_keys=True))


if __name__ == "__main__":
    main()
