"""What a method would train of a backbone, without its weights: `python -m workers.inspect backbone`.

Standard input: {"backbone": BackboneSpec, "method": MethodSpec, "labels": 2, "kind": "classification",
"cache_dir": directory or absent}. Standard output: one JSON object, or {"error": words}.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import PositiveInt, ValidationError

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import FrontierError, WeightsError
from workers.runtime.answers import answer


class InspectionRequest(Record):
    backbone: BackboneSpec
    method: MethodSpec
    labels: PositiveInt = 2
    kind: TaskKind = TaskKind.CLASSIFICATION
    cache_dir: str | None = None


def inspect_backbone(request: InspectionRequest) -> dict[str, Any]:
    """Counts of scalars and the modules that the method wraps, on the meta device.

    The shape comes from the catalogue entry, else from the weights where they are on this disk. Raises
    WeightsError where neither is known, or no module matches.
    """
    from workers.methods import count_trained
    from workers.models.backbones import build_shape
    from workers.models.weights import verify

    spec = request.backbone
    directory = _directory(request)
    folder = None if directory is None else verify(spec, directory)
    model = build_shape(spec, request.kind, request.labels, directory)
    counted = count_trained(model, request.method.settings, spec, request.kind, folder)
    heads, found = counted.heads, counted.parameters
    answer: dict[str, Any] = {
        "backbone": spec.name,
        "architecture": spec.architecture,
        "family": spec.family,
        "lineage": spec.lineage.model_dump(exclude_none=True),
        "saw": spec.saw,
        "licence": spec.licence,
        "gated": spec.gated,
        "method": request.method.name,
        "kind": request.kind,
        "labels": request.labels,
        "total_parameters": found.total,
        "trainable_parameters": found.trainable,
        "adapter_parameters": found.adapter,
        "head_parameters": found.head,
        "head_modules": heads,
        "matched_modules": found.matched_modules,
    }
    note = _note(spec, found.adapter, heads)
    return answer | ({"note": note} if note else {})


def _directory(request: InspectionRequest) -> Path | None:
    from workers.models.weights import weights_directory

    try:
        return weights_directory(request.backbone, Path(request.cache_dir or ""), fetch=False)
    except WeightsError:
        return None


def _note(spec: BackboneSpec, adapter: int, heads: tuple[str, ...]) -> str | None:
    if adapter and spec.architecture == "distilbert" and "pre_classifier" in heads:
        return (
            "Published tables count DistilBERT's pre_classifier (590,592 at full size) as adapter "
            "parameters, because PEFT trains every module whose name ends in classifier. Here it is part of "
            "the head, which every method trains; the sum is the same."
        )
    if any(head.endswith(".pooler") for head in heads):
        return "The weights hold no pooler: it starts at random and trains with the head."
    return None


def main(arguments: list[str]) -> int:
    if arguments != ["backbone"]:
        sys.stderr.write("usage: python -m workers.inspect backbone < request.json\n")
        return 2
    return answer(_answers)


def _answers() -> Iterator[dict[str, Any]]:
    from workers.runtime.attempt import settle_environment

    settle_environment()
    try:
        yield inspect_backbone(InspectionRequest.model_validate_json(sys.stdin.read()))
    except (FrontierError, ValidationError) as error:
        yield {"error": str(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
