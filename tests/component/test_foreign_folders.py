"""Folders that hold more than a backbone's weights, or weights that are not what they seem."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_models import tiny_folder
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.files import file_digests
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.low_rank import AdaLora, Lora
from orchestrator.contracts.methods.weights import BitFit, Full
from orchestrator.contracts.vocabulary import FailureKind, Phase, TaskKind
from orchestrator.errors import WeightsError
from workers.documents import number_documents
from workers.inputs import TaskData
from workers.methods import Adapted, adapt, check_trained, head_modules
from workers.models import trial_model
from workers.models.backbones import Backbone, build, count_planned
from workers.models.heads import headed_class
from workers.models.limits import check_fits
from workers.models.weights import verify
from workers.runtime.attempt import run_attempt
from workers.tasks import Encoded

LABELS = ("no", "yes", "perhaps")


def entry(folder: Path) -> BackboneSpec:
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    weights = FolderWeights(folder=str(folder))
    return BackboneSpec(name="mine", model="m", domain="d", architecture=kind, weights=weights)


def built(folder: Path, seed: int = 1, kind: TaskKind = TaskKind.CLASSIFICATION) -> Backbone:
    torch.manual_seed(seed)
    return build(entry(folder), folder, kind, LABELS)


@pytest.fixture
def copy(tiny_bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "copy"))


def put_adapter(folder: Path, config: Any) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    get_peft_model(model, config).save_pretrained(folder)


def put_lora(folder: Path) -> None:
    put_adapter(folder, LoraConfig(r=2, target_modules=["query"], task_type="SEQ_CLS"))


def put_ia3_of_another_base(folder: Path) -> None:
    put_adapter(folder, IA3Config(target_modules=["key"], feedforward_modules=[], task_type="SEQ_CLS"))
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": "../elsewhere"}))


def put_broken_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{")


@pytest.mark.parametrize("put", [put_lora, put_ia3_of_another_base, put_broken_adapter])
@pytest.mark.parametrize("settings", [Full(), Lora(rank=2), BitFit()])
def test_an_adapter_beside_the_weights_changes_nothing(
    copy: Path, tiny_bert: Path, put: Callable[[Path], None], settings: Settings
) -> None:
    put(copy)
    spec, kind = entry(copy), TaskKind.CLASSIFICATION
    counted = count_planned(spec, copy, settings, kind, len(LABELS))
    found = []
    for folder in (copy, tiny_bert):
        model = built(folder)
        adapted = adapt(model.model, settings, spec, kind, model.unsaved)
        check_trained(adapted, counted, spec)
        found.append({name: (p.clone(), p.requires_grad) for name, p in adapted.model.named_parameters()})
    beside, alone = found
    assert beside.keys() == alone.keys()
    assert all(torch.equal(beside[n][0], alone[n][0]) and beside[n][1] == alone[n][1] for n in alone)


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.NER])
@pytest.mark.parametrize(
    ("architecture", "shape", "fixed"),
    [
        ("roformer", {"embedding_size": 32}, ["roformer.encoder.embed_positions.weight"]),
        ("distilbert", {"sinusoidal_pos_embds": True}, []),
        ("flaubert", {"sinusoidal_embeddings": True}, []),
    ],
)
def test_what_the_class_of_a_model_freezes_stays_frozen(
    tmp_path: Path,
    tiny_bert: Path,
    kind: TaskKind,
    architecture: str,
    shape: dict[str, Any],
    fixed: list[str],
) -> None:
    """Full fine-tuning trains what was planned: all but the sines and cosines that a class keeps fixed."""
    sizes = {"vocab_size": 900, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model(architecture, **sizes, max_position_embeddings=64, **shape)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    for file in tiny_bert.glob("tokenizer*"):
        shutil.copy(file, tmp_path)
    spec, settings = entry(tmp_path), Full()
    counted = count_planned(spec, tmp_path, settings, kind, len(LABELS))
    model = built(tmp_path, kind=kind)
    adapted = adapt(model.model, settings, spec, kind, model.unsaved)
    check_trained(adapted, counted, spec)
    assert [name for name, p in adapted.model.named_parameters() if not p.requires_grad] == fixed


def put_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')


def exchange_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (exchange_weights, "model.safetensors has sha256 "),
        (put_index, "index.json is an extra file, expected the same files as when the run began"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing, expected "),
    ],
)
def test_weights_that_change_while_a_sweep_runs_end_its_next_attempt(
    lab: Any, outcome_of: Any, copy: Path, change: Callable[[Path], None], words: str
) -> None:
    """Nobody exchanges weights unseen: each attempt reads what the driver saw, or nothing."""
    order = lab.order(backbone=entry(copy), weights=file_digests(copy))
    change(copy)
    run_attempt(order)
    failure = outcome_of(order).failure
    assert (failure.kind, failure.phase) == (FailureKind.BAD_INPUT, Phase.START)
    assert words in failure.message
    assert "    -> " in failure.message


def test_what_no_library_reads_may_come_beside_the_weights(lab: Any, outcome_of: Any, copy: Path) -> None:
    """A pickle, Python, a chat template: none of it is read, so none of it is looked at."""
    order = lab.order("head-only", backbone=entry(copy), weights=file_digests(copy))
    for name in ("pytorch_model.bin", "modeling_evil.py", "chat_template.jinja", "kernel.so"):
        (copy / name).write_bytes(b"evil")
    run_attempt(order)
    assert outcome_of(order).failure is None


def frozen(adapted: Adapted) -> None:
    next(p for p in adapted.model.parameters() if p.requires_grad).requires_grad_(False)


def thawed(adapted: Adapted) -> None:
    next(p for p in adapted.model.parameters() if not p.requires_grad).requires_grad_(True)


def cut(adapted: Adapted) -> None:
    parameter = next(p for p in adapted.model.parameters() if p.requires_grad)
    parameter.data = parameter.data[:1].clone()


@pytest.mark.parametrize(
    ("change", "method", "words"),
    [
        (frozen, "full", "frozen: bert."),
        (thawed, "ia3", "not planned: "),
        (cut, "lora", "of another shape: "),
    ],
)
def test_an_attempt_that_trains_other_weights_than_planned_ends_before_it_trains(
    lab: Any, outcome_of: Any, monkeypatch: pytest.MonkeyPatch, change: Any, method: str, words: str
) -> None:
    def other(*given: Any, **named: Any) -> Adapted:
        adapted = adapt(*given, **named)
        change(adapted)
        return adapted

    monkeypatch.setattr(trial_model, "adapt", other)
    order = lab.order(method, TaskKind.CLASSIFICATION)
    run_attempt(order)
    outcome = outcome_of(order)
    assert (outcome.failure.kind, outcome.failure.phase) == (FailureKind.BAD_INPUT, Phase.LOAD)
    assert f"{method} is planned to train " in outcome.failure.message
    assert words in outcome.failure.message
    assert outcome.steps == 0
    assert outcome.test == {}


def test_the_ranks_that_adalora_counts_are_not_counted_as_weights(tiny_bert: Path) -> None:
    spec, kind, settings = entry(tiny_bert), TaskKind.NER, AdaLora(rank=2)
    model = built(tiny_bert, kind=kind)
    adapted = adapt(model.model, settings, spec, kind, model.unsaved, steps=10)
    counted = count_planned(spec, tiny_bert, settings, kind, len(LABELS))
    assert counted.parameters == adapted.parameters


@pytest.mark.parametrize(
    ("architecture", "kind", "labels"),
    [
        ("bert", TaskKind.CLASSIFICATION, 3),
        ("bert", TaskKind.NER, 3),
        ("bert", TaskKind.NER, 9),
        ("roberta", TaskKind.CLASSIFICATION, 3),  # classifier.dense
        ("distilbert", TaskKind.CLASSIFICATION, 5),  # pre_classifier
        ("deberta-v2", TaskKind.RELATION, 3),  # a pooler outside the backbone
        ("llama", TaskKind.CLASSIFICATION, 3),  # score
        ("mamba", TaskKind.NER, 2),  # a head of ours
    ],
)
def test_a_trained_head_is_not_taken_over(
    tmp_path: Path, architecture: str, kind: TaskKind, labels: int
) -> None:
    """It is drawn as if the folder held none, to the last bit, whatever its size."""
    headless = tiny_folder(architecture)
    config = AutoConfig.from_pretrained(headless, num_labels=labels)
    torch.manual_seed(9)
    headed_class(config, kind).from_pretrained(headless, config=config).save_pretrained(tmp_path)
    for file in headless.glob("tokenizer*"):
        shutil.copy(file, tmp_path)
    heads = []
    for folder, seed in ((tmp_path, 1), (tmp_path, 2), (headless, 1)):
        model = built(folder, seed, kind).model
        heads.append([p for name in head_modules(model) for p in model.get_submodule(name).parameters()])
    first, other_seed, plain = heads
    assert all(torch.equal(one, two) for one, two in zip(first, plain, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first, other_seed, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_named_and_counted(copy: Path, value: float) -> None:
    file = copy / "model.safetensors"
    weights = load_file(file)
    weights["encoder.layer.1.attention.self.query.weight"][3, 4:6] = value
    weights["embeddings.LayerNorm.bias"][0] = value
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(WeightsError) as refused:
        built(copy)
    assert "1 of 32 weights in bert.embeddings.LayerNorm.bias and in 1 more tensor are" in str(refused.value)
    assert "-> fetch or make the weights again" in str(refused.value)


def test_what_is_not_read_may_be_anything(copy: Path) -> None:
    """A foreign head that diverged, and the head of the pre-training."""
    file = copy / "model.safetensors"
    weights = load_file(file) | {
        "classifier.weight": torch.full((2, 32), torch.nan),
        "cls.predictions.bias": torch.full((7,), torch.inf),
    }
    save_file(weights, file, metadata={"format": "pt"})
    assert all(p.isfinite().all() for p in built(copy).model.parameters())


def test_tensors_of_another_shape_than_the_configuration_says_are_named(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    with pytest.raises(WeightsError) as refused:
        built(copy)
    assert "bert.encoder.layer.0.intermediate.dense.bias" in str(refused.value)
    assert "has shape 64, expected 48 by its config.json" in str(refused.value)
    assert "architecture" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "virtual", "words"),
    [
        ({"input_ids": [[2, 4, 500]]}, 0, "need 501 tokens, the weights have rows for "),
        ({"input_ids": [[2] * 60]}, 5, "need 65 places, the weights have rows for 64"),
        ({"token_type_ids": [[0, 0, 2]]}, 0, "need 3 kinds of texts, the weights have rows for 2"),
    ],
)
def test_texts_that_the_tables_of_the_weights_lack_a_row_for_are_refused(
    lab: Any, tiny_bert: Path, changes: dict[str, Any], virtual: int, words: str
) -> None:
    """In test alone, too, which is read when everything is paid for."""
    fine = Encoded(input_ids=[[2, 4, 3]], labels=[0], token_type_ids=[[0, 0, 1]], truncated=0)
    task, folder = lab.task(TaskKind.CLASSIFICATION), verify(entry(tiny_bert), tiny_bert)
    none = number_documents([])
    data = TaskData(
        task=task, labels=LABELS, train=fine, dev=fine, test=fine, documents=none, pad=0, counts={}
    )
    check_fits(entry(tiny_bert), folder, data, virtual=0)
    with pytest.raises(WeightsError, match=words):
        check_fits(entry(tiny_bert), folder, replace(data, test=replace(fine, **changes)), virtual)
