"""What runs under what: the table that `python -m workers.capabilities` measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import Lora, Settings
from orchestrator.contracts.vocabulary import TaskKind


@dataclass(frozen=True)
class Capabilities:
    def refusal(self, backbone: BackboneSpec, settings: Settings, kind: TaskKind, gpus: float) -> str | None:
        """Why this combination cannot run; None where it can, or where the architecture is unknown."""
        if isinstance(settings, Lora) and settings.quantise and not gpus:
            return f"a base in {settings.quantise} needs a GPU, and a trial is given none"
        return None


def load_capabilities(path: Path | None = None) -> Capabilities:
    return Capabilities()
