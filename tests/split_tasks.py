"""Tasks of invented rows in a catalogue of their own, for what is counted between and within splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TABLE = {"format": "csv", "text": "note", "label": "label"}
SPLITS = ("train", "dev", "test")


def table(*rows: tuple[str, str]) -> str:
    return "note,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)


def rows(split: str, count: int = 8, labels: tuple[str, ...] = ("no", "yes")) -> list[tuple[str, str]]:
    """Texts that no other split has, the labels by turns."""
    return [(f"{split} note {number} of a visit", labels[number % len(labels)]) for number in range(count)]


def write_task(
    root: Path, files: Mapping[str, str], reader: Mapping[str, Any], kind: str = "classification", **keys: Any
) -> list[str]:
    """Writes `files` below `root/data` and the task `mine` below `root/catalogue`. A reader without `files`
    has train.X, dev.X and test.X where these were given. Gives the words that inspect it."""
    for name, content in files.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    named = {split: [name for name in files if name.startswith(f"{split}.")] for split in SPLITS}
    metrics = {"classification": "macro_f1", "ner": "entity_f1", "relation": "positive_micro_f1"}
    entry = {
        "title": "Mine",
        "kind": kind,
        "domain": "clinical",
        "metric": metrics[kind],
        "reader": {"files": {split: found for split, found in named.items() if found}} | dict(reader),
    }
    place = root / "catalogue" / "tasks"
    place.mkdir(parents=True, exist_ok=True)
    (place / "mine.yaml").write_text(yaml.safe_dump(entry | keys))
    return ["task", "inspect", "mine", f"data_dir={root / 'data'}", "--catalogue", str(root / "catalogue")]


def write_sweep(root: Path, **keys: Any) -> Path:
    """A sweep of the task on a backbone of random weights."""
    backbone = {"model": "toy", "domain": "general", "architecture": "bert"}
    place = root / "catalogue" / "backbones"
    place.mkdir(parents=True, exist_ok=True)
    weights = {"kind": "random", "architecture": "bert"}
    (place / "toy.yaml").write_text(yaml.safe_dump(backbone | {"weights": weights}))
    sweep = {
        "name": "case",
        "catalogues": ["catalogue"],
        "data_dir": "data",
        "storage": str(root / "sweeps"),
        "models": ["toy"],
        "domains": ["general"],
        "methods": ["full"],
        "tasks": ["mine"],
        "seeds": [1],
        "recipe": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3},
    }
    (root / "sweep.yaml").write_text(yaml.safe_dump(sweep | keys))
    return root / "sweep.yaml"
