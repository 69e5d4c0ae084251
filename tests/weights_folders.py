"""Folders of weights in hub layout, written without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WIDTH = 4
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": _WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 8,
    "vocab_size": 6,
    "max_position_embeddings": 160,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "fever", "cough")


def safetensors(shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Tensors of zeros in float32."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end := end + size]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


def shapes_of(config: Mapping[str, Any], prefix: str = "bert.") -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}embeddings.word_embeddings.weight": (config["vocab_size"], _WIDTH),
        f"{prefix}embeddings.position_embeddings.weight": (config["max_position_embeddings"], _WIDTH),
        f"{prefix}embeddings.token_type_embeddings.weight": (config["type_vocab_size"], _WIDTH),
        f"{prefix}encoder.layer.0.output.dense.weight": (_WIDTH, 8),
    }


def write_tokenizer(directory: Path, added: tuple[str, ...] = (), kind: str = "BertTokenizer") -> None:
    pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
    tokenizer = {
        "added_tokens": [{"id": len(WORDS) + n, "content": word} for n, word in enumerate(added)],
        "post_processor": {"type": "TemplateProcessing", "single": pair[:1], "pair": pair},
        "model": {"type": "WordPiece", "vocab": {word: n for n, word in enumerate(WORDS)}},
    }
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))


def write_weights(directory: Path, prefix: str = "bert.", **changes: Any) -> Path:
    """A whole folder; `changes` are of the configuration, which the weights follow."""
    directory.mkdir(parents=True, exist_ok=True)
    config = CONFIG | changes
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "model.safetensors").write_bytes(safetensors(shapes_of(config, prefix)))
    write_tokenizer(directory)
    return directory


def write_shards(directory: Path, names: tuple[str, ...] = ("a.safetensors", "b.safetensors")) -> None:
    """The weights of the folder in shards of these names, with their index."""
    shapes = list(shapes_of(CONFIG).items())
    places = {tensor: names[number % len(names)] for number, (tensor, _) in enumerate(shapes)}
    for name in names:
        held = {tensor: shape for tensor, shape in shapes if places[tensor] == name}
        (directory / Path(name).name).write_bytes(safetensors(held))
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def write_catalogue(root: Path, weights: str, entry: Mapping[str, Any], *, pairs: bool = False) -> None:
    """An entry `mine` for the weights, and tasks that reads `data`."""
    (root / "catalogue" / "backbones").mkdir(parents=True)
    (root / "catalogue" / "tasks").mkdir()
    backbone = {
        "model": "mine",
        "domain": "general",
        "architecture": "bert",
        "weights": {"kind": "folder", "folder": weights},
        **entry,
    }
    (root / "catalogue" / "backbones" / "mine.yaml").write_text(json.dumps(backbone))
    reader = {"format": "csv", "text": "note", "label": "label"} | ({"second_text": "other"} if pairs else {})
    task = {
        "title": "Invented",
        "kind": "classification",
        "domain": "clinical",
        "reader": reader | {"files": {split: [f"{split}.csv"] for split in ("train", "dev", "test")}},
        "metric": "macro_f1",
        "max_length": 128,
    }
    (root / "catalogue" / "tasks" / "mine.yaml").write_text(json.dumps(task))


def write_sweep(root: Path, **changes: Any) -> Path:
    (root / "data").mkdir()
    for split in ("train", "dev", "test"):
        (root / "data" / f"{split}.csv").write_text(f"note,other,label\n{split},x,yes\n{split} too,y,no\n")
    sweep = {
        "name": "case",
        "catalogues": ["catalogue"],
        "data_dir": "data",
        "models": ["mine"],
        "domains": ["general"],
        "methods": ["full"],
        "tasks": ["mine"],
        "seeds": [1],
        "storage": str(root / "sweeps"),
    }
    path = root / "sweep.yaml"
    path.write_text(json.dumps(sweep | changes))
    return path
