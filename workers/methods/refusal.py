"""The error for a method that an architecture does not support."""

from __future__ import annotations

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.errors import WeightsError


class UnsupportedError(WeightsError):
    """`reason` says why in words that hold for every backbone of the architecture."""

    def __init__(self, spec: BackboneSpec, reason: str, fix: str) -> None:
        self.reason = reason
        super().__init__(f"backbone {spec.name} ({spec.architecture}): {reason}\n    -> {fix}")
