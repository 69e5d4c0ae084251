"""A trial of a task with any number of labels per text, and what the model answers afterwards."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported_models import answered, manifest, text_lines, use_of, without_frontier
from kept_methods import stirred
from sklearn.metrics import f1_score
from tiny_models import LABELS, adapted_tiny, tiny_folder, training_context
from torch.nn.functional import binary_cross_entropy_with_logits

from orchestrator.contracts.exported import ExportRequest
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers import train
from workers.batches import FlatSplit
from workers.class_weights import label_weights, weights_of
from workers.export import export_model
from workers.exported.folder import write_folder
from workers.models.tokenizers import load_tokenizer
from workers.runtime.attempt import run_attempt
from workers.tasks import Encoded, LogitMeaning

CPU = torch.device("cpu")
GIVEN = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def encoded() -> Encoded:
    ids = [[2, 5, 3], [2, 6, 3], [2, 7, 3], [2, 8, 3]]
    return Encoded(ids, GIVEN, None, truncated=0, objective=LogitMeaning.ANY_OF)


def test_balanced_weights_make_the_given_and_the_missing_count_alike() -> None:
    assert label_weights(np.array(GIVEN)).tolist() == [pytest.approx(1 / 3), 3.0, 1.0]


@pytest.mark.parametrize("weigh", [False, True])
def test_the_loss_of_a_text_is_the_mean_over_its_labels(weigh: bool) -> None:
    adapted = adapted_tiny("bert", Full(), TaskKind.MULTILABEL)
    adapted.model.eval()  # no dropout
    data = encoded()
    examples = FlatSplit(data, 0, CPU)
    weights = weights_of(data, 3)
    if weigh:
        examples.weigh(weights)
    with torch.no_grad():
        logits = adapted.model(torch.tensor(data.input_ids)).logits
    expected = binary_cross_entropy_with_logits(
        logits, torch.tensor(GIVEN), pos_weight=torch.from_numpy(weights) if weigh else None
    )
    optimiser = torch.optim.SGD([p for p in adapted.model.parameters() if p.requires_grad])
    [batch] = examples.rows([[0, 1, 2, 3]])
    loss = train.optimiser_step(
        adapted, adapted.model, optimiser, examples, batch, 0.1, training_context(CPU)
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def task_of_codes(data: Path) -> dict[str, Any]:
    """Write texts that name their labels, and return what a task over them has of its own."""
    for split, count in {"train": 48, "dev": 16, "test": 16}.items():
        lines = ["text,codes"]
        for n in range(count):
            codes = [code for code, every in {"fever": 2, "rash": 3}.items() if n % every == 0]
            lines.append(f"note {split} {n} {' and '.join(codes) or 'fine'},{'|'.join(codes)}")
        (data / f"{split}.csv").write_text("\n".join(lines) + "\n")
    reader = TableReader(
        format="csv",
        files={split: (f"{split}.csv",) for split in Split},
        text="text",
        label="codes",
        label_separator="|",
    )
    return {"kind": TaskKind.MULTILABEL, "reader": reader, "metric": MetricName.MICRO_F1}


def test_a_trial_learns_its_labels_and_records_the_threshold(lab: Any, outcome_of: Any) -> None:
    order = lab.order(recipe={"epochs": 6, "learning_rate": 1e-2}, task=task_of_codes(lab.data))
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    assert outcome.labels == ("fever", "rash")
    assert outcome.train_classes == {"fever": 24, "rash": 16}
    assert 0 < outcome.threshold < 1
    gold = np.array([[n % 2 == 0, n % 3 == 0] for n in range(16)])
    floor = max(
        f1_score(gold, np.tile(answer, (16, 1)), average="micro") for answer in ([1, 0], [0, 1], [1, 1])
    )
    assert outcome.guessing[MetricName.MICRO_F1] == pytest.approx(floor)
    assert outcome.test[MetricName.MICRO_F1].value > floor
    assert (order.parent / "examples.bin").is_file()


@pytest.fixture(scope="module")
def exported_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    root = tmp_path_factory.mktemp("export")
    adapted = stirred("bert", Lora(rank=2), TaskKind.MULTILABEL)
    use = use_of("bert", Lora(rank=2), TaskKind.MULTILABEL).model_copy(update={"threshold": 0.5})
    export_model(adapted, load_tokenizer(use.backbone, tiny_folder("bert")), root / "kept", "adapters")
    (root / "out").mkdir()
    request = ExportRequest(
        use=use, kept=str(root / "kept"), cache_dir=str(root), out=str(root / "out"), merge=False
    )
    written = write_folder(request)
    return root / "out", manifest(use, written.layout), written


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_text_gets_the_labels_above_the_threshold(
    exported_model: tuple[Path, Any, Any], tmp_path: Path, ending: str
) -> None:
    folder, of, _ = exported_model
    out = tmp_path / f"out.{ending}"
    given = of.model_copy(update={"use": of.use.model_copy(update={"threshold": 0.45})})
    answered((folder, given), text_lines(tmp_path / "in.jsonl", ["No fever."]), out)
    if ending == "csv":
        [row] = csv.DictReader(io.StringIO(out.read_text()))
        answer = [label for label in row["labels"].split(";") if label]
        shares = {label: float(row[f"probability of {label}"]) for label in LABELS}
    else:
        record = json.loads(out.read_text())
        answer, shares = record["labels"], record["probabilities"]
    assert answer == [label for label in LABELS if shares[label] >= 0.45]


def test_the_program_of_the_card_answers_likewise(exported_model: tuple[Path, Any, Any]) -> None:
    folder, _, written = exported_model
    answer = without_frontier({folder: ("".join(written.program), [])})[folder]
    shown = [line.split() for line in answer["printed"].splitlines()]
    assert [word[:2] for word in shown] == [
        [f"{label}:", "yes" if share >= 0.5 else "no"]
        for label, share in zip(LABELS, answer["probabilities"], strict=True)
    ]
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
