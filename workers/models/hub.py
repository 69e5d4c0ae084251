"""Fetch repositories of a Hugging Face hub once, by commit, and check their content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import get_token, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.errors import WeightsError

# Files worth fetching: not pickles, and not exports to other runtimes.
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model"]
_UNWANTED = ["*/*"]


def snapshot(spec: BackboneSpec, weights: HubWeights, cache_dir: Path, *, fetch: bool) -> Path:
    """Return the folder of the revision in the cache, whose name is the commit; fetch it if it is missing and
    `fetch` is set. Raises WeightsError if it is not available."""
    source = f"{weights.hub} at revision {weights.revision}"
    options: dict[str, Any] = {
        "revision": weights.revision,
        "cache_dir": cache_dir / "hub",
        "allow_patterns": _WANTED,
        "ignore_patterns": _UNWANTED,
    }
    try:
        return Path(snapshot_download(weights.hub, local_files_only=True, **options))
    except LocalEntryNotFoundError as absent:
        if not fetch:
            raise WeightsError(
                f"backbone {spec.name}: {source} is not staged\n"
                "    -> run `frontier stage` with this sweep file"
            ) from absent
    try:
        return Path(snapshot_download(weights.hub, **options))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: {source} cannot be fetched from the hub ({type(failed).__name__})\n"
            f"    -> {_remedy(spec, weights, failed)}"
        ) from failed


def _remedy(spec: BackboneSpec, weights: HubWeights, failed: Exception) -> str:
    if isinstance(failed, GatedRepoError) or (spec.gated and isinstance(failed, RepositoryNotFoundError)):
        if get_token() is None:
            return (
                f"it is gated: ask for access on the page of {weights.hub}, then set HF_TOKEN to your token"
            )
        return f"it is gated, and your token has no access: ask for it on the page of {weights.hub}"
    if isinstance(failed, RevisionNotFoundError):
        return "check weights.revision in its catalogue entry"
    if isinstance(failed, RepositoryNotFoundError):
        return "check weights.hub in its catalogue entry, and HF_TOKEN if the repository is private"
    return "check the network; or point weights.folder at a local copy"
