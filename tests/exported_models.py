"""Exports of tiny models, and a process that cannot import Frontier to run their snippets in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from kept_methods import stirred
from ledger_builder import task
from tiny_models import LABELS, tiny_folder, tiny_spec

from orchestrator.contracts.backbone import FolderWeights
from orchestrator.contracts.exported import (
    BASE,
    Exported,
    ExportRequest,
    ModelUse,
    PredictRequest,
    WeightsLayout,
)
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Precision, TaskKind
from workers.export import export_model
from workers.exported.folder import Written, write_folder
from workers.exported.predict import predict
from workers.models.tokenizers import load_tokenizer

MAX_LENGTH = 24
# Runs the snippet of each folder that it is given, with the modules of Frontier out of reach.
STRANGER = """
import contextlib, gc, io, json, os, sys
gc.disable()
sys.modules.update(dict.fromkeys(("pandas", "boto3", "scipy", "sklearn")))  # as in `workers.exported.proof`
import torch

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("orchestrator", "workers"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refused())
if torch.version.cuda is None:
    sys.modules["bitsandbytes"] = None  # as in `leave_out_bitsandbytes`: nothing could be quantised
answers = {}
for folder, (snippet, rows) in json.load(sys.stdin).items():
    os.chdir(folder)
    printed = io.StringIO()
    scope = {}
    with contextlib.redirect_stdout(printed):
        exec(snippet, scope)
    with torch.no_grad():
        logits = [
            scope["model"](**{name: torch.tensor(ids) for name, ids in row.items()}).logits.tolist()
            for row in rows
        ]
    probabilities = scope["probabilities"].tolist()
    answers[folder] = {"printed": printed.getvalue(), "probabilities": probabilities, "logits": logits}
print(json.dumps(answers))
gc.freeze()
"""


def use_of(architecture: str, settings: Any, kind: TaskKind) -> ModelUse:
    spec = tiny_spec(architecture).model_copy(
        update={"weights": FolderWeights(folder=str(tiny_folder(architecture)))}
    )
    return ModelUse(
        kind=kind,
        labels=LABELS,
        max_length=MAX_LENGTH,
        backbone=spec,
        method=MethodSpec(name=settings.kind, entry=settings.kind, settings=settings),
        precision=Precision.FP32,
        batch_size=4,
        threshold=0.5 if kind is TaskKind.MULTILABEL else None,
        target_scale=TargetScale(mean=3.0, deviation=2.0) if kind is TaskKind.REGRESSION else None,
    )


def exported(
    root: Path, architecture: str, settings: Any, kind: TaskKind, *, merge: bool = False
) -> tuple[ModelUse, Path, Written]:
    """Return what was exported of a model that is no longer at its neutral start."""
    kept, out = root / "kept", root / "out"
    adapted = stirred(architecture, settings, kind)
    use = use_of(architecture, settings, kind)
    tokenizer = load_tokenizer(use.backbone, tiny_folder(architecture))
    export_model(adapted, tokenizer, kept, "all" if settings.trains_everything else "adapters")
    out.mkdir()
    request = ExportRequest(use=use, kept=str(kept), cache_dir=str(root), out=str(out), merge=merge)
    return use, out, write_folder(request)


def manifest(use: ModelUse, layout: WeightsLayout) -> Exported:
    """Return the manifest of an export, without digests."""
    placed = use.backbone.model_copy(update={"weights": FolderWeights(folder=BASE)})
    return Exported(
        frontier_version="0.1.0",
        sweep="tiny",
        cell=Cell(model="tiny", domain="none", method=use.method.name, task="outcome"),
        seed=1,
        fingerprint="f" * 16,
        layout=layout,
        use=use.model_copy(update={"backbone": placed}),
        task=task("outcome", use.kind),
        device_type="cpu",
        test={},
        files={},
    )


def answered(
    model: tuple[Path, Exported],
    source: Path,
    out: Path,
    kind: Literal["csv", "jsonl", "text"] = "jsonl",
    **columns: str,
) -> list[dict[str, Any]]:
    """Let an exported model answer the texts of a file, and return what it says of its progress."""
    folder, of = model
    request = PredictRequest(
        folder=str(folder),
        exported=of,
        cache_dir=str(out.parent),
        input=str(source),
        format=kind,
        text=columns.get("text", "text"),
        out=str(out),
    )
    return list(predict(request))


def text_lines(source: Path, texts: list[str]) -> Path:
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return source


def without_frontier(folders: dict[Path, tuple[str, list[Any]]]) -> dict[Path, Any]:
    """Run the snippet of each folder in it, and answer rows of tokens; all in one process."""
    asked = {
        str(folder): (snippet, [{name: ids.tolist() for name, ids in row.items()} for row in rows])
        for folder, (snippet, rows) in folders.items()
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", STRANGER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {Path(folder): answer for folder, answer in json.loads(done.stdout).items()}
