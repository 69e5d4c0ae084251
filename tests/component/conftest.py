"""Tiny backbones, tasks and orders in a temporary directory: everything real, everything small."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.low_rank import AdaLora, Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.weights import Full, HeadOnly
from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.outcome import Event, Outcome, read_event
from orchestrator.contracts.readers import ConllReader, TableReader
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder, Cell, Digests, TrialSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.distributed.saving import save_model
from workers.runtime.host import AttemptHost

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
SETTINGS = {
    "full": Full(),
    "head-only": HeadOnly(),
    "lora": Lora(rank=4),
    "ia3": Ia3(),
    "adalora": AdaLora(rank=2),
}
_MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
_WORDS = ["no", "mild", "severe", "acute", "fever", "cough", "rash", "today", "since", "monday", "and", "or"]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


def write_tokenizer(directory: Path) -> int:
    """Words and their halves; gives the size of the vocabulary."""
    pieces = [f"##{word[len(word) // 2 :]}" for word in _WORDS] + [word[: len(word) // 2] for word in _WORDS]
    entries = list(dict.fromkeys([*_MARKS, *_WORDS[:8], *pieces]))
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(entries)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(directory)
    return len(entries)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT in hub layout, pooler included."""
    directory = tmp_path_factory.mktemp("tiny-bert")
    size = write_tokenizer(directory)
    torch.manual_seed(0)
    save_model(AutoModel.from_config(AutoConfig.for_model("bert", vocab_size=size, **SHAPE)), directory)
    return directory


def sentences(count: int, start: int) -> list[tuple[list[str], list[str], str]]:
    """Words, BIO tags and a class, of lengths 3 to 9, learnable from the words."""
    signs = {"fever": "B-sign", "cough": "B-sign", "rash": "B-sign"}
    made = []
    for number in range(start, start + count):
        words = [_WORDS[(number * 7 + 5 * k + number // 3) % len(_WORDS)] for k in range(3 + number % 7)]
        tags = [signs.get(word, "O") for word in words]
        made.append((words, tags, "ill" if "fever" in words or "rash" in words else "well"))
    return made


def write_data(directory: Path, rows: dict[Split, int]) -> None:
    start = 0
    for split, count in rows.items():
        found = sentences(count, start)
        start += count
        conll = ["\n".join(f"{w}\t{t}" for w, t in zip(words, tags, strict=True)) for words, tags, _ in found]
        (directory / f"{split}.tsv").write_text("\n\n".join(conll) + "\n")
        lines = [json.dumps({"text": " ".join(words), "label": label}) for words, _, label in found]
        (directory / f"{split}.jsonl").write_text("\n".join(lines) + "\n")


@dataclass
class Lab:
    """Writes orders below `root`; every order is an attempt directory of its own."""

    root: Path
    backbone: BackboneSpec
    data: Path
    numbers: Any

    def task(self, kind: TaskKind) -> TaskSpec:
        ending = "tsv" if kind is TaskKind.NER else "jsonl"
        files = {split: (f"{split}.{ending}",) for split in Split}
        reader: Any
        if kind is TaskKind.NER:
            reader = ConllReader(files=files)
        else:
            reader = TableReader(format="jsonl", files=files, text="text", label="label")
        return TaskSpec(
            name=f"signs-{kind}",
            title="Signs",
            kind=kind,
            domain="clinical",
            reader=reader,
            metric=PRIMARY[kind],
        )

    def order(
        self,
        method: str = "full",
        kind: TaskKind = TaskKind.CLASSIFICATION,
        *,
        seed: int = 1,
        recipe: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Path:
        """The path of an order.json for one attempt at a trial. `task`: what it has of its own."""
        task = self.task(kind).model_copy(update=fields.pop("task", {}))
        wanted = {"learning_rate": 3e-3, "epochs": 2, "batch_size": 8, "max_length": 32} | (recipe or {})
        trial = TrialSpec(
            cell=Cell(model="tiny", domain="general", method=method, task=task.name),
            seed=seed,
            backbone=fields.pop("backbone", self.backbone),
            method=MethodSpec(name=method, entry=method, settings=SETTINGS[method]),
            task=task,
            recipe=Recipe(**wanted),
            digests=Digests(data=None, weights=None, code="c", metrics="1"),
            fingerprint="0123456789abcdef",
            candidate=fields.pop("candidate", None),
        )
        directory = self.root / f"trial-{next(self.numbers)}" / "attempt-001"
        directory.mkdir(parents=True)
        order = AttemptOrder(
            **{
                "trial": trial,
                "attempt": 1,
                "directory": str(directory),
                "data_dir": str(self.data),
                "cache_dir": str(self.root / "cache"),
                "resources": Resources(),
                "ordered_at": 0.0,
            }
            | fields
        )
        path = directory / "order.json"
        path.write_text(order.model_dump_json())
        return path


@pytest.fixture(scope="session")
def attempt_host() -> Iterator[AttemptHost]:
    """One warm host for all tests: it takes ten seconds of a core to start. Attempts leave nothing in it."""
    started = AttemptHost(threads=1)
    yield started
    started.close()


@pytest.fixture
def host(attempt_host: AttemptHost) -> AttemptHost:
    return attempt_host


@pytest.fixture
def lab(tmp_path: Path, tiny_bert: Path) -> Lab:
    data = tmp_path / "data"
    data.mkdir()
    write_data(data, {Split.TRAIN: 42, Split.DEV: 16, Split.TEST: 16})
    backbone = BackboneSpec(
        name="tiny",
        model="tiny",
        domain="general",
        architecture="bert",
        weights=FolderWeights(folder=str(tiny_bert)),
    )
    return Lab(tmp_path, backbone, data, itertools.count(1))


@pytest.fixture
def still(lab: Lab, tmp_path: Path) -> BackboneSpec:
    """The lab's backbone with its dropout off: passes of other sizes, and ranks, draw other masks."""
    folder = tmp_path / "still"
    shutil.copytree(lab.backbone.weights.folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return lab.backbone.model_copy(update={"weights": FolderWeights(folder=str(folder))})


@pytest.fixture
def outcome_of() -> Callable[[Path], Outcome]:
    return lambda order: Outcome.model_validate_json((order.parent / "outcome.json").read_bytes())


@pytest.fixture
def events_of() -> Callable[[Path], list[Event]]:
    return lambda order: [
        read_event(line) for line in (order.parent / "events.jsonl").read_bytes().splitlines()
    ]
