"""Real tokens per CPU-second of training: ours against a Trainer that pads in three ways.

    python tests/bench/training_tokens.py [--repeats 1] [--steps 8]

Full fine-tuning of an untrained model of TinyBioBERT's shape in fp32, batches of 32 out of 5,000 texts as
long as clinical sentences (log-normal, 51 tokens on average, cut at 128). Each arm is a process with one
thread. Its CPU time counts from the first step to the last, without imports, tokenisation and scoring, and
padding is no token. The Trainer's batches come from an epoch in its own order, evenly from few tokens to
many; ours are the first of an epoch. "Of peak" is the FLOPs of the real tokens over those of a product of
square matrices in the same process.

The gate: without dropout, and given our batches of 8, the mean of the Trainer's losses over 10 steps must be
ours to 1e-4, else the figures are void.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from table import ONE_THREAD, Row, arguments, finish

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Split, TaskKind

OURS, LONGEST_OF_ALL, BY_LENGTH = "frontier", "padding to the maximum", "rows grouped by length"
TARGETS = {LONGEST_OF_ALL: 3.0, "padding to the longest": 2.5, BY_LENGTH: 1.6}
SHAPE = {
    "hidden_size": 312,
    "num_hidden_layers": 4,
    "num_attention_heads": 12,
    "intermediate_size": 1200,
    "vocab_size": 28996,
    "max_position_embeddings": 512,
}
ROWS, BATCH, CUT, MEAN = 5000, 32, 128, 51
GATE_BATCH, GATE_STEPS, SAME = 8, 10, 1e-4
LABELS = ("first", "second")
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


class Sentences:
    """Rows of drawn words, two classes. A word is a token; each row has two more."""

    def write(self, folder: Path) -> TaskSpec:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = random.Random(0)
        for split in Split:
            with (folder / f"{split}.csv").open("w", newline="") as file:
                lines = csv.writer(file)
                lines.writerow(["text", "label"])
                for _ in range(ROWS if split is Split.TRAIN else 16):
                    words = max(6, min(CUT - 2, round(drawn.lognormvariate(math.log(43), 0.55))))
                    text = " ".join(f"w{drawn.randrange(900)}" for _ in range(words))
                    lines.writerow([text, drawn.choice(LABELS)])
        files = {split: (f"{split}.csv",) for split in Split}
        return TaskSpec(
            name="sentences",
            title="Drawn sentences",
            kind=TaskKind.CLASSIFICATION,
            domain="general",
            reader=TableReader(format="csv", files=files, text="text", label="label"),
            labels=LABELS,
            metric=PRIMARY[TaskKind.CLASSIFICATION],
        )


def write_orders(work: Path, steps: int) -> tuple[Path, Path]:
    """Write weights and data; return the order of the gate, and the one that is measured."""
    from workers.selfcheck.models import backbone
    from workers.selfcheck.workspace import Trials, Workspace

    workspace, trials = Workspace(work, rehearsal=True), Trials(work)

    def order(name: str, dropout: bool, batch: int, count: int) -> Path:
        recipe = {"batch_size": batch, "steps": count, "precision": "fp32", "max_length": CUT}
        model = backbone(workspace, "bert", SHAPE, dropout=dropout)
        spec = trials.spec(model, texts=Sentences(), recipe=recipe)  # type: ignore[arg-type]
        dev_alone = spec.model_copy(update={"candidate": 1})
        return trials.order(dev_alone, workspace.resources(), name)

    return order("gate", False, GATE_BATCH, GATE_STEPS), order("speed", True, BATCH, steps)


def train_ours(order: AttemptOrder) -> dict[str, float]:
    from orchestrator.contracts.layout import EVENTS
    from orchestrator.contracts.vocabulary import Phase
    from workers.metering.gauges import Gauges
    from workers.metering.meter import Meter
    from workers.runtime.records import EventLog
    from workers.trial import run_trial

    meter, file = Meter(clock=time.process_time), Path(order.directory) / EVENTS
    *_, records = run_trial(order, Gauges(order, meter), meter, EventLog(file), lambda: False)
    events = map(json.loads, file.read_text().splitlines())
    return {
        "cpu_seconds": meter.seconds()[Phase.TRAIN],
        "tokens": records.progress.tokens,
        "loss": next(event["loss"] for event in events if event["event"] == "step"),
    }


def batches_of(arm: str, lengths: list[int], order: AttemptOrder) -> list[list[int]]:
    """Return our own batches for the gate, else some of the Trainer's, evenly from few tokens to many."""
    from transformers.trainer_pt_utils import LengthGroupedSampler

    from workers.batches import epoch_batches

    recipe, seed = order.trial.recipe, order.trial.seed
    size, steps = recipe.batch_size, recipe.steps
    assert steps is not None
    if size == GATE_BATCH:
        return epoch_batches(lengths, size, seed, 0)[:steps]
    rows = list(range(len(lengths)))
    if arm == BY_LENGTH:
        rows = list(LengthGroupedSampler(size, lengths=lengths))
    else:
        random.Random(seed).shuffle(rows)
    epoch = [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
    by_tokens = sorted(epoch, key=lambda batch: sum(lengths[i] for i in batch))
    return [by_tokens[(2 * step + 1) * len(epoch) // (2 * steps)] for step in range(steps)]


def train_theirs(order: AttemptOrder, arm: str) -> dict[str, float]:
    from torch.utils.data import DataLoader
    from transformers import (
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    from workers.models.backbones import build

    trial, recipe = order.trial, order.trial.recipe
    set_seed(trial.seed)
    # Our own start, so that head and all are the same weights.
    folder = Path(trial.backbone.weights.folder)  # type: ignore[union-attr]
    built = build(trial.backbone, folder, trial.task.kind, LABELS)
    assert order.data_dir is not None
    with (Path(order.data_dir) / f"{Split.TRAIN}.csv").open() as file:
        read = list(csv.DictReader(file))
    texts = built.tokenizer([row["text"] for row in read], truncation=True, max_length=recipe.max_length)
    rows = [
        {name: texts[name][i] for name in texts} | {"labels": LABELS.index(row["label"])}
        for i, row in enumerate(read)
    ]
    batches = batches_of(arm, [len(row["input_ids"]) for row in rows], order)
    to_maximum = {"padding": "max_length", "max_length": recipe.max_length}
    collate = DataCollatorWithPadding(built.tokenizer, **(to_maximum if arm == LONGEST_OF_ALL else {}))
    clock, losses = dict[str, float](), list[float]()

    class Timed(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock["began"] = time.process_time()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            clock["ended"] = time.process_time()

    class Given(Trainer):
        def get_train_dataloader(self) -> Any:
            return DataLoader(rows, batch_sampler=batches, collate_fn=collate)  # type: ignore[arg-type]

        def training_step(self, *given: Any, **named: Any) -> Any:
            losses.append((loss := super().training_step(*given, **named)).item())
            return loss

    Given(
        model=built.model,
        args=TrainingArguments(
            output_dir=order.directory,
            max_steps=len(batches),
            per_device_train_batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            warmup_steps=recipe.warmup_ratio,  # below 1: a share of the steps
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.max_grad_norm,
            seed=trial.seed,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            save_strategy="no",
        ),
        callbacks=[Timed()],
    ).train()
    tokens = sum(len(rows[i]["input_ids"]) for batch in batches for i in batch)
    spent = clock["ended"] - clock["began"]
    return {"cpu_seconds": spent, "tokens": tokens, "loss": statistics.mean(losses[:GATE_STEPS])}


def peak() -> float:
    """Return what this process multiplies now, in FLOPs per second: the best of ten."""
    import torch

    torch.set_num_threads(1)
    square = torch.randn(1024, 1024)

    def once() -> float:
        began = time.process_time()
        torch.mm(square, square)
        return time.process_time() - began

    return 2 * 1024**3 / min(once() for _ in range(10))


def flops_of_a_token(order: AttemptOrder, length: int) -> float:
    """Return the FLOPs of training on one token of a text of this length, without padding."""
    from workers.metering.flops import operations_of
    from workers.models.backbones import count_planned

    trial = order.trial
    folder = Path(trial.backbone.weights.folder)  # type: ignore[union-attr]
    counted = count_planned(trial.backbone, folder, trial.method.settings, trial.task.kind, len(LABELS))
    return operations_of(counted.blank.model).of(1, length, training=True, again=False) / length


def run_arm(arm: str, paths: list[str]) -> None:
    """Train the gate and then the measured steps in this process; print their figures as a line of JSON."""
    gate, speed = (AttemptOrder.model_validate_json(Path(path).read_bytes()) for path in paths)
    train = train_ours if arm == OURS else lambda order: train_theirs(order, arm)
    loss, best = train(gate)["loss"], peak()
    print(json.dumps(train(speed) | {"gate": loss, "peak": best}), flush=True)


def in_a_process(arm: str, orders: tuple[Path, Path]) -> dict[str, float]:
    environment = os.environ | ONE_THREAD
    command = [sys.executable, __file__, "--arm", arm, *map(str, orders)]
    out = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(out.splitlines()[-1])
    return figures


def rows_of(measured: dict[str, list[dict[str, float]]], flops: float) -> list[Row]:
    """Return the table's rows: our speed, its share of the peak, and the ratio to each baseline."""
    speeds = {arm: [f["tokens"] / f["cpu_seconds"] for f in figures] for arm, figures in measured.items()}
    ours = statistics.median(speeds[OURS])
    share = 100 * flops * ours / statistics.median(f["peak"] for f in measured[OURS])
    rows = [
        Row("c", "real tokens per CPU-second of training", ours, "tokens"),
        Row("c", "FLOPs of these tokens, of what a thread multiplies", share, "%"),
    ]
    for arm, target in TARGETS.items():
        times = statistics.median(a / b for a, b in zip(speeds[OURS], speeds[arm], strict=True))
        apart = abs(measured[arm][0]["gate"] / measured[OURS][0]["gate"] - 1)
        void = f"the losses differ by {apart:.0e}" if apart > SAME else ""
        what = f"tokens per CPU-second against {arm}"
        rows.append(Row("c", what, times, "x", target, at_most=False, void=void))
    return rows


def main() -> None:
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--arm", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        run_arm(given.arm[0], given.arm[1:])
        return
    os.environ.update(QUIET)
    measured = defaultdict[str, list[dict[str, float]]](list)
    with tempfile.TemporaryDirectory(prefix="frontier-bench-") as name:
        orders = write_orders(Path(name), given.steps)
        flops = flops_of_a_token(AttemptOrder.model_validate_json(orders[1].read_bytes()), MEAN)
        for repeat in range(given.repeats):
            for arm in (*TARGETS, OURS):
                figures = in_a_process(arm, orders)
                measured[arm].append(figures)
                speed = figures["tokens"] / figures["cpu_seconds"]
                share = flops * speed / figures["peak"]
                text = f"{speed:.0f} tokens per CPU-s, {share:.0%} of peak, loss {figures['gate']:.6f}"
                print(f"  {repeat + 1}/{given.repeats} {arm}: {text}", flush=True)
    finish(rows_of(measured, flops), given.rows)


if __name__ == "__main__":
    main()
