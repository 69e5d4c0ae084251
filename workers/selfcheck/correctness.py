"""Rows 2 and 3: the worker's training against a plain loop, and a GPU against the CPU."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.layout import MODEL
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import Split
from workers.batches import epoch_batches
from workers.selfcheck.hosts import Host, finished, host_of
from workers.selfcheck.models import bert, llama
from workers.selfcheck.plain_loop import Batch, train_plainly
from workers.selfcheck.results import Reading, at_most, equal
from workers.selfcheck.workspace import Ran, Texts, Trials, Workspace, deviation

_EARLY = 20  # steps in which rounding errors are still small


def against_a_plain_loop(workspace: Workspace) -> list[Reading]:
    """Train on the same batches from the same weights twice: with the worker and with `plain_loop`."""
    encoder = bert(workspace, hidden=workspace.sized(768, 64), layers=workspace.sized(4, 2))
    decoder = llama(workspace, hidden=workspace.sized(512, 64), layers=workspace.sized(4, 2))
    cases: list[tuple[str, BackboneSpec, Settings, bool]] = [
        ("bert, full, fp32", encoder, Full(), False),
        ("llama, lora, fp32", decoder, Lora(dropout=0.0), False),
    ]
    if not workspace.rehearsal:
        cases += [
            ("bert, lora, fp32", encoder, Lora(dropout=0.0), False),
            ("bert, ia3, fp32", encoder, Ia3(), False),
            ("llama, full, fp32", decoder, Full(), False),
            ("bert, full, bf16", encoder, Full(), True),
        ]
    trials = Trials(workspace.of_check("2"))
    with host_of(workspace) as host:
        return [
            figure
            for name, backbone, settings, bf16 in cases
            for figure in _compared(workspace, trials, host, name, (backbone, settings, bf16))
        ]


def _compared(
    workspace: Workspace, trials: Trials, host: Host, name: str, case: tuple[BackboneSpec, Settings, bool]
) -> list[Reading]:
    backbone, settings, bf16 = case
    steps, batch = workspace.sized(60, 12), workspace.sized(32, 8)
    recipe = {
        "batch_size": batch,
        "precision": "bf16" if bf16 else "fp32",
        "steps": steps,
        "evaluations": steps,  # so that the loss of each step is recorded
        "learning_rate": 2e-4,
    }
    texts = Texts(rows=4 * batch, length=workspace.sized(478, 30))
    trial = trials.spec(backbone, settings, texts, recipe=recipe)
    resources = workspace.resources()
    # The rate of the first step is 0: the weights after one step are the initial weights.
    one_step = trials.spec(backbone, settings, texts, recipe={**recipe, "steps": 1, "evaluations": 1})
    start = (
        finished(host, trials.order(one_step, resources, f"{name}, start", keep_weights="all")).directory
        / MODEL
    )
    ran = finished(host, trials.order(trial, resources, name, keep_weights="all"))
    device = torch.device("cpu" if workspace.rehearsal else "cuda")
    plain = _load(backbone, settings, start).to(device)
    batches = _batches(trial, trials.data, ran.outcome)
    losses, snapshot = train_plainly(
        plain,
        batches[Split.TRAIN],
        peak=trial.recipe.learning_rate,
        warmup_ratio=trial.recipe.warmup_ratio,
        weight_decay=trial.recipe.weight_decay,
        max_norm=trial.recipe.max_grad_norm,
        bf16=bf16,
        snapshot_after=ran.outcome.best_step or steps,
    )
    if bf16:
        means = sum(losses) / steps, sum(ran.losses) / steps
        return [at_most(f"{name}: means of the losses differ by", abs(means[0] - means[1]), 2e-3)]
    plain.load_state_dict(snapshot, strict=False)
    saved = _load(backbone, settings, ran.directory / MODEL).to(device)
    dev = batches[Split.DEV]
    logits = max((_logits(plain, b) - _logits(saved, b)).abs().max().item() for b in dev)
    return [
        at_most(f"{name}: losses of {_EARLY} steps differ by", deviation(losses[:_EARLY], ran.losses), 1e-5),
        at_most(f"{name}: losses of {steps} steps differ by", deviation(losses, ran.losses), 1e-3),
        at_most(f"{name}: logits of dev differ by", logits, 1e-3),
    ]


def _load(backbone: BackboneSpec, settings: Settings, folder: Path) -> Any:
    """Return a model as transformers and peft load it, trainable."""
    if settings.trains_everything:
        return AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    assert isinstance(backbone.weights, FolderWeights)
    base = AutoModelForSequenceClassification.from_pretrained(
        backbone.weights.folder, num_labels=2, dtype=torch.float32
    )
    return PeftModel.from_pretrained(base, folder, is_trainable=True)


@torch.no_grad()
def _logits(model: Any, batch: Batch) -> Tensor:
    model.eval()
    device = next(model.parameters()).device
    inputs = {name: value.to(device) for name, value in batch.items() if name != "labels"}
    logits: Tensor = model(**inputs).logits
    return logits.float()


def _batches(trial: TrialSpec, data: Path, outcome: Outcome) -> dict[Split, list[Batch]]:
    """Return a batch for each step, in the worker's order, and the batches of dev."""
    assert isinstance(trial.backbone.weights, FolderWeights)
    tokenizer = AutoTokenizer.from_pretrained(trial.backbone.weights.folder)
    encoded = {}
    for split in (Split.TRAIN, Split.DEV):
        [file] = trial.task.reader.files[split]
        with (data / file).open() as opened:
            rows = list(csv.DictReader(opened))
        tokens = tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True)
        encoded[split] = {**tokens, "labels": torch.tensor([outcome.labels.index(r["label"]) for r in rows])}
    train, recipe = encoded[Split.TRAIN], trial.recipe
    lengths, steps = train["attention_mask"].sum(1).tolist(), recipe.steps or 0
    chosen: list[list[int]] = []
    for epoch in range(steps):
        chosen += epoch_batches(lengths, recipe.batch_size, trial.seed, epoch)
    return {
        Split.TRAIN: [{k: v[rows] for k, v in train.items()} for rows in chosen[:steps]],
        Split.DEV: [encoded[Split.DEV]],
    }


def cpu_against_gpu(workspace: Workspace) -> list[Reading]:
    """Train the same trial on the CPU and on the GPU; in a rehearsal twice on the CPU."""
    backbone = bert(workspace, hidden=workspace.sized(256, 64), layers=2)
    recipe = {"steps": _EARLY, "evaluations": _EARLY, "precision": "fp32", "batch_size": 8}
    trials = Trials(workspace.of_check("3"))
    trial = trials.spec(backbone, texts=Texts(rows=64, length=workspace.sized(126, 30)), recipe=recipe)
    with host_of(workspace) as host:
        cpu, gpu = (
            finished(host, trials.order(trial, resources, name))
            for name, resources in (("cpu", Resources()), ("gpu", workspace.resources()))
        )
    same = _scores(cpu) == _scores(gpu)
    return [
        at_most(f"losses of {_EARLY} steps differ by", cpu.losses_apart(gpu), 1e-3),
        equal("scores on test", "equal" if same else "differ", "equal"),
    ]


def _scores(ran: Ran) -> dict[str, float | None]:
    return {name: metric.value for name, metric in ran.outcome.test.items()}
