"""The bytes of a sweep's weights when it is launched: each attempt reads these, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.paths import cache_of
from orchestrator.cli.shared_staging import shared_files
from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.files import file_digests
from orchestrator.contracts.generated import made_root

if TYPE_CHECKING:
    from orchestrator.cli.session import Session


def weights_content(session: Session) -> dict[str, dict[str, str]]:
    """Return sha256 by name of the files of each backbone. Raises StorageError."""
    return session.inputs.weights_files | {
        name: _generated_digests(session, spec)
        for name, spec in session.backbones.items()
        if isinstance(spec.weights, MadeWeights | RandomWeights)
    }


def _generated_digests(session: Session, spec: BackboneSpec) -> dict[str, str]:
    """Return the digests of generated weights by file. With an object store, all machines read what is there,
    not what this one generated."""
    if session.sweep.remote is not None:
        return shared_files(session, spec)
    assert isinstance(spec.weights, MadeWeights | RandomWeights)
    root = made_root(cache_of(session.sweep.storage), spec.weights)
    return file_digests(root) if root.is_dir() else {}
