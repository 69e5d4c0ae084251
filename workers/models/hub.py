"""The weights of a Hugging Face hub, in the cache of a sweep."""

from __future__ import annotations

from pathlib import Path

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.errors import WeightsError
from workers.data.hub import NotFetchedError, Repository
from workers.data.hub import snapshot as snapshot_of

# Files worth fetching: not pickles, and not exports to other runtimes.
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model"]
_UNWANTED = ["*/*"]


def snapshot(spec: BackboneSpec, weights: HubWeights, cache_dir: Path, *, fetch: bool) -> Path:
    """Return the folder of the revision in the cache, whose name is the commit; fetch it if it is missing and
    `fetch` is set. Raises WeightsError if it is not available."""
    repository = Repository(
        "model",
        weights.hub,
        weights.revision,
        key="weights.hub",
        revision_key="weights.revision",
        instead="point weights.folder at a local copy",
        gated=spec.gated,
    )
    try:
        return snapshot_of(repository, cache_dir, _WANTED, _UNWANTED, fetch=fetch)
    except NotFetchedError as failed:
        raise WeightsError(f"backbone {spec.name}: {failed.problem}\n    -> {failed.fix}") from failed
