"""Row 9: the memory that plans forecast against what attempts use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.device import GIB
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import Precision, TaskKind
from orchestrator.planning.memory import estimate
from workers.selfcheck.card import first_gpu_has_bf16, has_bitsandbytes
from workers.selfcheck.hosts import Host, finished, host_of
from workers.selfcheck.models import backbone, bert, llama
from workers.selfcheck.results import CheckProblemError, Reading
from workers.selfcheck.workspace import Texts, Trials, Workspace

_MOST = 1.5  # times the measured peak


@dataclass(frozen=True)
class _Shape:
    name: str
    model: BackboneSpec
    settings: Settings
    batch: int = 32
    length: int = 126
    kind: TaskKind = TaskKind.CLASSIFICATION
    checkpointing: bool = False
    scored: int = 64  # examples per pass of scoring


def memory(workspace: Workspace) -> list[Reading]:
    """Train two steps of each shape and compare the peak with the forecast."""
    trials = Trials(workspace.of_check("9"))
    precision = Precision.BF16 if first_gpu_has_bf16() else Precision.FP32
    with host_of(workspace) as host:
        return [
            figure
            for shape in _shapes(workspace)
            for figure in _held_against_estimate(trials, host, shape, precision)
        ]


def _shapes(workspace: Workspace) -> Iterator[_Shape]:
    tiny, base = bert(workspace, hidden=256, layers=4), bert(workspace, hidden=768, layers=12)
    yield _Shape("tiny, full", tiny, Full())
    yield _Shape("tiny, full, ner", tiny, Full(), kind=TaskKind.NER)
    yield _Shape("base, full", base, Full())
    yield _Shape("base, full, 480 tokens", base, Full(), length=478)
    yield _Shape("base, full, checkpointing", base, Full(), length=478, checkpointing=True)
    yield _Shape("base, lora", base, Lora())
    yield _Shape("distil, full", backbone(workspace, "distilbert", _DISTIL), Full())
    yield _Shape("modernbert, full", backbone(workspace, "modernbert", _MODERN), Full())
    small = backbone(workspace, "qwen3", _QWEN)
    yield _Shape("qwen3-0.6b, lora, ner", small, Lora(), batch=8, length=480, kind=TaskKind.NER)
    wide = llama(workspace, hidden=4096, layers=8, intermediate=11008)  # 8 of the 32 layers of a 7B
    yield _Shape("7B's width, 8 layers, lora", wide, Lora(), batch=4, length=480)
    yield _Shape("7B's width, ner, scored 64 x 480", wide, Lora(), batch=4, length=480, kind=TaskKind.NER)
    if has_bitsandbytes():
        yield _Shape("7B's width, 8 layers, nf4", wide, Lora(quantise="nf4", targets="all"), batch=4)


_DISTIL: dict[str, Any] = {"dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072}
_MODERN: dict[str, Any] = {"hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12}
_QWEN: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
}


def _held_against_estimate(
    trials: Trials, host: Host, shape: _Shape, precision: Precision
) -> Iterator[Reading]:
    recipe = {
        "batch_size": shape.batch,
        "evaluation_batch_size": shape.scored,
        "steps": 2,
        "precision": precision.value,
        "max_length": shape.length + 2,
    }
    texts = Texts(2 * max(shape.batch, shape.scored), shape.length, shape.kind)
    trial = trials.spec(shape.model, shape.settings, texts, recipe=recipe)
    resources = Resources(gpus=1, gradient_checkpointing=shape.checkpointing)
    needs = planned_bytes(trial, resources, precision)
    peak = finished(host, trials.order(trial, resources, shape.name)).outcome.peak_device_memory_bytes or 0
    yield Reading(
        name=f"{shape.name}: estimate, GiB",
        value=round(needs / GIB, 2),
        limit=f"{peak / GIB:.2f}, the peak, to {_MOST * peak / GIB:.2f}",
        passed=peak <= needs <= _MOST * peak,
    )


def planned_bytes(trial: TrialSpec, resources: Resources, precision: Precision) -> float:
    """Return the memory that a plan forecasts for the trial."""
    needs = estimate(trial.backbone, trial.method.settings, trial.recipe, resources, precision)
    if needs is None:
        raise CheckProblemError(f"{trial.name}: the plan has no estimate")
    return needs.bytes
