"""Which Parquet files of a hub's data set are a split, and what its card says of classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.readers import ConllReader, HubReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError, DataError
from workers.data import Text, read_split
from workers.data.readers.hub_files import parquet_files

SHARDED = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "data/test.parquet"]
CARD = """\
---
configs:
- config_name: plain
  default: true
  data_files:
  - {split: train, path: data/train-*}
  - split: test
    path: [data/test.parquet]
- config_name: large
  data_files: [{split: train, path: "large/*.parquet"}]
dataset_info:
- config_name: plain
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': neg, '1': pos}}}
  - name: tags
    sequence: {class_label: {names: {'0': O, '1': B-x, '2': I-x}}}
---
# Some letters
"""


def reader(**keys: Any) -> HubReader:
    return HubReader.model_validate({"dataset": "some-org/some-letters", "revision": "1" * 40} | keys)


def task(kind: TaskKind = TaskKind.CLASSIFICATION, **keys: Any) -> TaskSpec:
    return TaskSpec(
        name="letters",
        title="Letters",
        kind=kind,
        domain="clinical",
        reader=reader(**keys),
        metric=PRIMARY[kind],
    )


def write(root: Path, name: str, columns: dict[str, Any], features: Any = None) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, path)


@pytest.mark.parametrize(
    ("name", "present", "chosen"),
    [
        ("train", [*SHARDED, "README.md"], SHARDED[:2]),
        ("test", SHARDED, SHARDED[2:]),
        (
            "train",
            ["default/train/0000.parquet", "default/test/0000.parquet"],
            ["default/train/0000.parquet"],
        ),
        ("train", ["my-train_v2.parquet", "retrain.parquet"], ["my-train_v2.parquet"]),
        (
            "train",
            ["train/a.parquet", "train/b.parquet", "other/train.parquet"],
            ["train/a.parquet", "train/b.parquet"],
        ),
        ("odd/*.parquet", ["odd/a.parquet", "even/a.parquet"], ["odd/a.parquet"]),
    ],
)
def test_a_split_is_the_files_that_are_called_so(name: str, present: list[str], chosen: list[str]) -> None:
    assert parquet_files(reader(), name, present, {}) == chosen


def test_a_config_is_the_folder_of_its_name() -> None:
    present = ["yes/train.parquet", "no/train.parquet"]
    assert parquet_files(reader(config="yes"), "train", present, {}) == ["yes/train.parquet"]


@pytest.mark.parametrize(
    ("keys", "name", "present", "words"),
    [
        ({}, "train", ["letters.py", "README.md"], "its loading script letters.py is never run"),
        ({}, "train", ["train.csv"], "it has no Parquet file"),
        (
            {},
            "validation",
            SHARDED,
            r"no split 'validation' in it.*data/test.parquet, data/train-\*",
        ),
        ({}, "train", SHARDED[:1], "1 of the 2 files data/train-….parquet are there"),
        ({}, "dev-*.parquet", SHARDED, r"no file matches 'dev-\*.parquet'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    keys: dict[str, Any], name: str, present: list[str], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        parquet_files(reader(**keys), name, present, {})
    assert "some-org/some-letters at revision 1111" in str(caught.value)


def test_the_card_says_which_files_are_a_split_and_what_classes_are_called(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    for shard, labels in zip(SHARDED, ([0, 1], [1, 1], [0, 1]), strict=True):
        tags = [[1, 2], [0, 0]]
        write(
            tmp_path, shard, {"text": ["a", "b"], "label": labels, "tokens": [["c", "d"]] * 2, "tags": tags}
        )
    write(tmp_path, "large/train-00000-of-00001.parquet", {"text": ["c"], "label": ["own"]})
    held_out = {"hold_out": {"dev": 0.1}}
    train = read_split(task(**held_out, files={"train": ["train"], "test": ["test"]}), Split.TEST, tmp_path)
    assert [e.label for e in train if isinstance(e, Text)] == ["neg", "pos"]
    whole = task(files={"train": ["train"]})
    examples = read_split(whole, Split.TRAIN, tmp_path)
    assert [e.label for e in examples if isinstance(e, Text)] == ["neg", "pos", "pos", "pos"]
    assert [e.document for e in examples] == [f"train#{row}" for row in (1, 2, 3, 4)]
    [large] = read_split(task(config="large", files={"train": ["train"]}), Split.TRAIN, tmp_path)
    assert isinstance(large, Text)
    assert large.label == "own"
    with pytest.raises(DataError, match="there is no config 'small' in it; it has: large, plain"):
        read_split(task(config="small"), Split.TRAIN, tmp_path)
    with pytest.raises(DataError, match="its splits are: train, test"):
        read_split(task(), Split.DEV, tmp_path)
    tagged = read_split(task(TaskKind.NER, tags="tags"), Split.TEST, tmp_path)
    assert [getattr(e, "tags", None) for e in tagged] == [("B-x", "I-x"), ("O", "O")]


def test_names_in_the_files_count_before_the_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    write(tmp_path, "data/train-00000-of-00001.parquet", {"text": ["a"], "label": [1]}, features)
    [example] = read_split(task(), Split.TRAIN, tmp_path)
    assert isinstance(example, Text)
    assert example.label == "yes"


@pytest.mark.parametrize("card", ["---\n: [\n---\n", "---\n- a\n---\n", "no front", "---\nconfigs: 3\n---\n"])
def test_a_card_that_cannot_be_read_is_as_none(tmp_path: Path, card: str) -> None:
    (tmp_path / "README.md").write_text(card)
    write(tmp_path, "train.parquet", {"text": ["a"], "label": ["x"]})
    assert len(read_split(task(), Split.TRAIN, tmp_path)) == 1


def test_its_splits_are_those_of_a_hub_but_for_what_is_held_out() -> None:
    assert reader().files == {"train": ("train",), "dev": ("validation",), "test": ("test",)}
    assert reader(hold_out={"dev": 0.1}).files == {"train": ("train",), "test": ("test",)}
    by = {"by": "site", "values": {"test": ["north"]}, "dev": 0.2}
    assert reader(hold_out=by).files == {"train": ("train",)}
    assert HubReader.model_validate(reader(hold_out=by).model_dump(mode="json")) == reader(hold_out=by)
    with pytest.raises(ValueError, match="no repository of a hub"):
        reader(dataset="https://some/where")


def test_the_formats_of_each_kind_name_the_hub(tmp_path: Path) -> None:
    other = task().model_copy(update={"reader": ConllReader(format="conll", files={Split.TRAIN: ("a.tsv",)})})
    with pytest.raises(ConfigError) as refused:
        read_split(other, Split.TRAIN, tmp_path)
    kinds = str(refused.value).partition("ner reads")[2].split("; ")
    assert len(kinds) == 3
    assert all("hub" in formats for formats in kinds)
