"""Write the model of an export: weights, configuration and tokenizer."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
)

from orchestrator.contracts.backbone import HubWeights
from orchestrator.contracts.exported import BASE, ExportAnswer, ExportRequest, ModelUse, WeightsLayout
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import InputError
from workers.distributed.saving import save_model
from workers.exported.mlflow_code import mlflow_code
from workers.exported.models import ADAPTER_WEIGHTS, rebuilt, whole
from workers.exported.proof import Row, logits_of_rows, prove, sample
from workers.exported.snippet import Program, usage_program
from workers.models.backbones import build
from workers.models.content import check_content
from workers.models.tokenizers import load_tokenizer
from workers.models.weights import weights_directory

_CONFIG, _WEIGHTS = "adapter_config.json", "model.safetensors"


@dataclass(frozen=True, repr=False)
class Written:
    """A folder that is written, and what the trained model answers to rows of tokens."""

    layout: WeightsLayout
    has_base: bool
    rows: list[Row]
    logits: list[Tensor]
    program: Program


def export(request: ExportRequest) -> ExportAnswer:
    """Do what `write` does, and prove it. Raises InputError where the model cannot be used without
    Frontier."""
    written = write_folder(request)
    differs = prove(
        Path(request.out), written.program.load, written.rows, written.logits, Path(request.cache_dir)
    )
    return ExportAnswer(
        layout=written.layout,
        has_base=written.has_base,
        differs=differs,
        rows=len(written.rows),
        snippet=written.program.load + written.program.answer,
        mlflow_code=mlflow_code(request.use, written.program.load),
    )


def write_folder(request: ExportRequest) -> Written:
    """Write weights, tokenizer and configuration to the empty folder `request.out`. Raises InputError where
    the kept weights are damaged or cannot be merged, WeightsError where the backbone is missing."""
    use, kept, out = request.use, Path(request.kept), Path(request.out)
    _check_kept(kept)
    _refuse_unknown_head(use, kept)
    if request.merge:
        _refuse_merge(use)
    layout = WeightsLayout.WHOLE
    if (kept / _WEIGHTS).is_file() or (kept / f"{_WEIGHTS}.index.json").is_file():
        _copy(kept, out)
        tokenizer = load_tokenizer(use.backbone, kept)
        rows = sample(use, tokenizer)
        logits = logits_of_rows(whole(use, out, None, exact=False), rows)
    else:
        backbone = weights_directory(use.backbone, Path(request.cache_dir), fetch=False)
        if request.weights:
            check_content(use.backbone, backbone, request.weights)
        adapted, tokenizer = rebuilt(use, kept, backbone, None, exact=False)
        rows = sample(use, tokenizer)
        logits = logits_of_rows(adapted.model, rows)
        if adapted.is_adapter and not request.merge:
            layout = WeightsLayout.ADAPTER
            _write_adapter(use, kept, out, backbone)
        else:
            model = adapted.model.merge_and_unload() if request.merge else adapted.model
            save_model(model, out)
            _strip_paths(out)
    tokenizer.save_pretrained(out)
    has_base = (out / BASE).is_dir()
    return Written(layout, has_base, rows, logits, usage_program(use, layout, has_base=has_base))


def _check_kept(kept: Path) -> None:
    """Raise InputError where a file of weights is missing or cut off."""
    files = sorted(kept.glob("*.safetensors"))
    if not files:
        raise InputError(
            f"{kept}: there are no weights in it\n    -> pass --retrain, which trains the model once more"
        )
    for file in files:
        try:
            with safe_open(file, framework="pt"):
                pass
        except (SafetensorError, OSError) as broken:
            raise InputError(
                f"{file}: is not a whole safetensors file ({type(broken).__name__})\n"
                "    -> fetch the records again, or pass --retrain, which trains the model once more"
            ) from None


def _refuse_unknown_head(use: ModelUse, kept: Path) -> None:
    config = AutoConfig.from_pretrained(kept, trust_remote_code=False, local_files_only=True)
    token = use.kind is TaskKind.NER
    known: Any = (
        MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING if token else MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    )
    if type(config) not in known:
        auto = "AutoModelForTokenClassification" if token else "AutoModelForSequenceClassification"
        raise InputError(
            f"backbone {use.backbone.name}: transformers has no {auto} for {config.model_type}, so nothing "
            "could load the folder without Frontier\n    -> name a cell with another model"
        )


def _refuse_merge(use: ModelUse) -> None:
    settings = use.method.settings
    problem = None
    if not settings.is_adapter:
        problem = f"{settings.kind} adds no weights: its export is whole already"
    elif settings.quantised_to is not None:
        problem = (
            f"it was trained on a base in {settings.quantised_to}, and folded into the weights of the "
            "unquantised base it gives other answers than those that were scored"
        )
    elif settings.extra_tokens:
        problem = f"{settings.kind} adds virtual tokens, which no weight of the backbone can hold"
    if problem is not None:
        raise InputError(f"command line: --merge: {problem}\n    -> remove --merge")


def _copy(source: Path, out: Path) -> None:
    """Copy the configuration and the safetensors of a folder in hub layout."""
    out.mkdir(exist_ok=True)
    for path in [*source.glob("*.safetensors"), source / "config.json", source / f"{_WEIGHTS}.index.json"]:
        if path.is_file():
            shutil.copyfile(path, out / path.name)
    _strip_paths(out)


def _strip_paths(folder: Path) -> None:
    """Remove the path of this machine from the configuration."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n")


def _write_adapter(use: ModelUse, kept: Path, out: Path, backbone: Path) -> None:
    """Write the adapter, and its backbone unless a hub has it, which is then named."""
    shutil.copyfile(kept / ADAPTER_WEIGHTS, out / ADAPTER_WEIGHTS)
    shutil.copyfile(kept / "config.json", out / "config.json")
    _strip_paths(out)
    weights = use.backbone.weights
    if isinstance(weights, HubWeights) and use.backbone.keep_layers is None:
        base: dict[str, str | None] = {"base_model_name_or_path": weights.hub, "revision": weights.revision}
    else:
        base = {"base_model_name_or_path": BASE, "revision": None}
        _write_base(use, backbone, out / BASE)
    settings = json.loads((kept / _CONFIG).read_text()) | base
    (out / _CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def _write_base(use: ModelUse, backbone: Path, base: Path) -> None:
    if use.backbone.keep_layers is None:
        _copy(backbone, base)
        load_tokenizer(use.backbone, backbone).save_pretrained(base)
        return
    built = build(use.backbone, backbone, use.kind, use.labels)  # without the layers that the entry drops
    save_model(built.model, base)
    built.tokenizer.save_pretrained(base)
    _strip_paths(base)
