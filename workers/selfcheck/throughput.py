"""Row 14: tokens per second against Hugging Face's Trainer, and a check that no step waits for the GPU."""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import Split
from workers.runtime.host import AttemptHost
from workers.selfcheck.card import nvml_of_first_gpu
from workers.selfcheck.hosts import ForkedHost, carry_out_order, finished
from workers.selfcheck.injected import after_each_step, before_each_pass
from workers.selfcheck.models import bert, llama
from workers.selfcheck.results import Reading, at_least, equal
from workers.selfcheck.workspace import Texts, Trials, Workspace

_STEPS = 60


def against_the_trainer(workspace: Workspace) -> list[Reading]:
    """Train each shape with the worker and with the Trainer, in bf16."""
    cases: list[tuple[str, BackboneSpec, Settings, int, int]] = [
        ("tiny, 32 x 64", bert(workspace, hidden=128, layers=2), Full(), 32, 64),
        ("base, 32 x 128", bert(workspace, hidden=768, layers=12), Full(), 32, 128),
        ("base, 32 x 480", bert(workspace, hidden=768, layers=12), Full(), 32, 480),
        ("llama of 1 billion, lora, 8 x 480", llama(workspace, hidden=2048, layers=16), Lora(), 8, 480),
    ]
    trials, ratios, figures = Trials(workspace.of_check("14")), list[float](), list[Reading]()
    figures.append(_no_waits(workspace, trials))
    host = AttemptHost(threads=4)
    try:
        for name, model, settings, batch, length in cases:
            recipe = {"batch_size": batch, "steps": _STEPS, "precision": "bf16"}
            trial = trials.spec(model, settings, Texts(4 * batch, length - 2), recipe=recipe)
            order = trials.order(trial, workspace.resources(), name)
            with _busy() as busy:
                worker_speed = finished(host, order).outcome.tokens_per_second or 0.0
            trainer_speed = _trainer(trial, trials.data, batch * length)
            ratios.append(worker_speed / trainer_speed)
            figures.append(
                at_least(f"{name}: tokens per second, times the Trainer's", round(ratios[-1], 2), 1.0)
            )
            figures.append(Reading(name=f"{name}: tokens per second", value=round(worker_speed)))
            figures.append(Reading(name=f"{name}: GPU busy, percent", value=round(busy[0])))
    finally:
        host.close()
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return [*figures, at_least("geometric mean, times the Trainer's", round(mean, 2), 1.2)]


def _no_waits(workspace: Workspace, trials: Trials) -> Reading:
    """Make torch raise an error if the host waits for the GPU between the first pass of a step and its
    end."""
    model, recipe = bert(workspace, hidden=128, layers=2), {"batch_size": 16, "steps": 8, "precision": "bf16"}
    order = trials.order(trials.spec(model, recipe=recipe), workspace.resources(), "no-waits")
    failure = carry_out_order(ForkedHost(_waiting_is_an_error), order).outcome.failure
    value = "none" if failure is None else f"at {(failure.places or ('an unknown place',))[-1]}"
    return equal("waits within a step", value, "none")


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    def begin(_: Tensor, number: int) -> None:
        if number > 2:  # the first steps set up handles and workspaces
            torch.cuda.set_sync_debug_mode("error")

    with before_each_pass(begin), after_each_step(lambda: torch.cuda.set_sync_debug_mode("default")):
        yield


@contextmanager
def _busy() -> Iterator[list[float]]:
    """Yield a list that holds, after the block, the mean percentage of time in which the GPU ran a kernel."""
    nvml, handle = nvml_of_first_gpu()
    mean, over, samples = [0.0], threading.Event(), list[int]()

    def sample() -> None:
        while not over.wait(0.1):
            samples.append(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield mean
    finally:
        over.set()
        thread.join()
        busy = [share for share in samples if share]
        mean[0] = sum(busy) / len(busy) if busy else 0.0


def _trainer(trial: TrialSpec, data: Path, tokens_per_step: int) -> float:
    """Return the real tokens per second of the Trainer, used as its documentation shows."""
    assert isinstance(trial.backbone.weights, FolderWeights)
    folder, recipe = trial.backbone.weights.folder, trial.recipe
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    if trial.method.settings.is_adapter:
        targets = ["q_proj", "v_proj"]
        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, target_modules=targets))
    with (data / trial.task.reader.files[Split.TRAIN][0]).open() as opened:
        rows = [
            {**tokenizer(row["text"]), "labels": int(row["label"] == "second")}
            for row in csv.DictReader(opened)
        ]

    def train(steps: int) -> float:
        arguments = TrainingArguments(
            output_dir=str(data.parent / "trainer"),
            max_steps=steps,
            per_device_train_batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            bf16=True,
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            save_strategy="no",
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer)
        return float(trainer.train().metrics["train_runtime"])

    train(5)  # it warms up, unlike the worker: the comparison favours the Trainer
    return _STEPS * tokens_per_step / train(_STEPS)
