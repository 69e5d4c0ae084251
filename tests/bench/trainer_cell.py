"""The baseline: cells as people train them today, a script around the Hugging Face Trainer.

    python tests/bench/trainer_cell.py [--tuned] ORDER_JSON …

Reads the same orders as a worker, so that model, data, epochs, batch, learning rate and evaluation points are
the same; model set-up, tokenisation, batching and training are the Trainer's own, as its documentation shows
them (padding to the longest of a batch, evaluation each epoch, best model at the end). `--tuned` sets what
costs little to set: rows of like length share a batch, no optimiser state in checkpoints, data tokenised once
for all cells of the process (the fused optimiser is the Trainer's default). Prints a line of JSON per order.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from peft import IA3Config, LoraConfig, TaskType, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

from orchestrator.contracts.generated import made_root
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import cap_rows, label_set, read_split
from workers.metrics import mentions_of_words, score_mentions, score_sequences

_TOKENISED: dict[str, Any] = {}  # of the tuned script, by task


def train_cell(order: AttemptOrder, tuned: bool) -> dict[str, float]:
    """Train and score one cell; its quality on dev and test."""
    trial = order.trial
    recipe, task = trial.recipe, trial.task
    set_seed(trial.seed)
    cache = Path(order.cache_dir)
    folder = made_root(cache, trial.backbone.weights)  # type: ignore[arg-type]
    root = made_root(cache, task)
    rows = {split: read_split(task, split, root) for split in Split}
    labels = label_set(task, rows[Split.TRAIN])
    if recipe.train_rows is not None:
        rows[Split.TRAIN] = cap_rows(rows[Split.TRAIN], recipe.train_rows)
    if recipe.dev_rows is not None:
        rows[Split.DEV] = cap_rows(rows[Split.DEV], recipe.dev_rows)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = {label: i for i, label in enumerate(labels)}
    ner = task.kind is TaskKind.NER

    def encode(example: Any) -> dict[str, Any]:
        if not ner:
            found = tokenizer(example.text, truncation=True, max_length=recipe.max_length)
            return {**found, "labels": ids[example.label]}
        found = tokenizer(
            list(example.tokens), is_split_into_words=True, truncation=True, max_length=recipe.max_length
        )
        words = found.word_ids()
        first = [w is not None and (i == 0 or words[i - 1] != w) for i, w in enumerate(words)]
        tags = [ids[example.tags[w]] if f else -100 for w, f in zip(words, first, strict=True)]
        return {**found, "labels": tags}

    if tuned and task.name in _TOKENISED:
        data = _TOKENISED[task.name]
    else:
        data = _TOKENISED[task.name] = {split: [encode(e) for e in rows[split]] for split in Split}
    if ner:
        model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(labels))
        collator: Any = DataCollatorForTokenClassification(tokenizer)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
        collator = DataCollatorWithPadding(tokenizer)
    kind = TaskType.TOKEN_CLS if ner else TaskType.SEQ_CLS
    settings = trial.method.settings
    # The made weights hold no pooler: PEFT alone would leave it at its random start, another experiment.
    heads = ["classifier"] if ner else ["pooler", "classifier"]
    if settings.kind == "lora":
        model = get_peft_model(
            model,
            LoraConfig(
                task_type=kind,
                r=settings.rank,
                lora_alpha=settings.alpha or settings.rank,
                lora_dropout=settings.dropout,
                target_modules=["query", "value"],
                modules_to_save=heads,
            ),
        )
    elif settings.kind == "ia3":
        model = get_peft_model(model, IA3Config(task_type=kind, modules_to_save=heads))
    elif settings.kind == "head-only":
        model.base_model.requires_grad_(False)
        for name in heads:
            getattr(model, name, getattr(model.base_model, name, None)).requires_grad_(True)

    def metrics(prediction: Any) -> dict[str, float]:
        logits, gold = prediction
        if ner:
            pairs = [
                [(labels[g], labels[p]) for g, p in zip(gs, ps, strict=True) if g != -100]
                for gs, ps in zip(gold, logits.argmax(-1), strict=True)
            ]
            tags = ([[pair[side] for pair in pairs_of] for pairs_of in pairs] for side in (0, 1))
            scores = score_mentions(mentions_of_words(*tags))
        else:
            scores = score_sequences(
                task.kind, labels, task.negative_label, np.asarray(gold), np.asarray(logits)
            )
        return {name: value.value for name, value in scores.items() if value.value is not None}

    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                learning_rate=recipe.learning_rate,
                num_train_epochs=recipe.epochs,
                per_device_train_batch_size=recipe.batch_size,
                per_device_eval_batch_size=recipe.evaluation_batch_size,
                warmup_steps=recipe.warmup_ratio,  # below 1: a share of the steps
                weight_decay=recipe.weight_decay,
                max_grad_norm=recipe.max_grad_norm,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=1,
                load_best_model_at_end=True,
                metric_for_best_model=str(task.metric),
                greater_is_better=True,
                train_sampling_strategy="group_by_length" if tuned else "random",
                save_only_model=tuned,
                seed=trial.seed,
                use_cpu=True,
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
            ),
            train_dataset=data[Split.TRAIN],
            eval_dataset=data[Split.DEV],
            data_collator=collator,
            compute_metrics=metrics,
        )
        trainer.train()
        dev = trainer.evaluate()
        test = trainer.evaluate(data[Split.TEST], metric_key_prefix="test")
    return {"dev": dev[f"eval_{task.metric}"], "test": test[f"test_{task.metric}"]}


def main(words: list[str]) -> None:
    for path in (word for word in words if word != "--tuned"):
        order = AttemptOrder.model_validate_json(Path(path).read_bytes())
        print(json.dumps(train_cell(order, "--tuned" in words)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
