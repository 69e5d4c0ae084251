"""Score an exported model on the test part of a task, as its trial was scored."""

from __future__ import annotations

from pathlib import Path

import torch

from orchestrator.contracts.exported import EvaluateAnswer, EvaluateRequest
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import InputError
from workers.batches import FlatSplit
from workers.data import check_scorable, read_corpus
from workers.data.examples import characters
from workers.data.folds import FoldOfSeed
from workers.evaluate import evaluate
from workers.exported.devices import ready
from workers.inputs import data_root
from workers.models.foreign_tokenizers import bounded, reading_seconds
from workers.tasks import encode


def score(request: EvaluateRequest) -> EvaluateAnswer:
    """Return the scores of the test part. Raises InputError where the task has other labels than the model,
    and what reading the task raises."""
    task, use = request.task, request.exported.use
    root = data_root(task, request.data_dir, Path(request.cache_dir))
    if not root.is_dir():
        fix = "run `frontier stage` with a sweep file that has the task" if task.made else "correct data_dir"
        raise InputError(f"task {task.name}: there is no folder {root}\n    -> {fix}")
    corpus = read_corpus(task, root, Split, _fold_of(request))
    if corpus.labels != use.labels:
        raise InputError(
            f"task {task.name}: its {len(corpus.labels)} labels are not the {len(use.labels)} labels of the "
            "model, in the same order\n    -> name the task that the model was trained on, or one with the "
            "same `labels`"
        )
    examples = corpus.splits[Split.TEST]
    check_scorable(task, corpus.labels, {Split.TEST: examples})
    answerer = ready(request.folder, request.exported, request.cache_dir, threads=request.exported.cpus)
    with bounded(use.backbone.name, reading_seconds(sum(map(characters, examples)))):
        data = encode(
            task.kind,
            examples,
            use.labels,
            answerer.tokenizer,
            use.max_length,
            repeated=task.paper_scoring,
            scale=use.target_scale,
        )
    flat = FlatSplit(data, answerer.tokenizer.pad_token_id, answerer.device)
    tested = evaluate(
        answerer.model, data, flat, task, use.labels, batch_size=use.batch_size, threshold=use.threshold
    )
    gpu = answerer.device.type == "cuda"
    return EvaluateAnswer(
        test=tested.metrics,
        examples=len(examples),
        device_type=torch.cuda.get_device_name() if gpu else CPU,
        precision=answerer.use.precision,
    )


def _fold_of(request: EvaluateRequest) -> FoldOfSeed | None:
    """Return the fold that the model was not trained on. Raises InputError where another task has folds:
    the model may know any of its rows, or none."""
    task, exported = request.task, request.exported
    if task.folds is None:
        return None
    if exported.fold is None or task != exported.task:
        raise InputError(
            f"task {task.name}: it has folds, and so no test part of its own\n    -> name the task that the "
            "model was trained on, or one with files for test"
        )
    return FoldOfSeed(exported.fold, exported.seed)
