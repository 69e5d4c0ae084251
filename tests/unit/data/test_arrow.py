"""Folders as `datasets.save_to_disk` leaves them, invented, written with pyarrow."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from arrow_folders import write_folder
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.readers import ArrowReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Text, Tokens, inspect_task, label_set, read_split

MARKER = "Zzpatientword"


def task(kind: TaskKind = TaskKind.CLASSIFICATION, on_bad_record: str = "error", **reader: Any) -> TaskSpec:
    values = {"files": {"train": ["corpus/train"]}} | reader
    return TaskSpec.model_validate(
        {
            "name": "folder",
            "title": "Folder",
            "kind": kind,
            "domain": "clinical",
            "reader": ArrowReader.model_validate(values),
            "metric": PRIMARY[kind],
            "on_bad_record": on_bad_record,
            "negative_label": "false" if kind is TaskKind.RELATION else None,
        }
    )


def texts(spec: TaskSpec, root: Path, split: Split = Split.TRAIN) -> list[tuple[str, str]]:
    return [(e.text, e.label) for e in read_split(spec, split, root) if isinstance(e, Text)]


def sentences(spec: TaskSpec, root: Path) -> list[str]:
    return [" ".join(e.tags) for e in read_split(spec, Split.TRAIN, root) if isinstance(e, Tokens)]


def test_rows_of_all_files_come_in_order(tmp_path: Path) -> None:
    write_folder(tmp_path, {"text": list("abcdefg"), "label": list("xyxyxyx")}, files=3)
    assert texts(task(), tmp_path) == list(zip("abcdefg", "xyxyxyx", strict=True))


def test_numbers_are_named_by_the_folder_or_by_the_reader(tmp_path: Path) -> None:
    columns = {"sentence": ["a", "b"] * 2, "labels": [1, 0] * 2}
    keys = {"text": "sentence", "label": "labels"}
    write_folder(tmp_path, columns, features={"labels": {"names": ["no", "yes"], "_type": "ClassLabel"}})
    assert texts(task(**keys), tmp_path) == [("a", "yes"), ("b", "no")] * 2
    assert texts(task(**keys, names=["false", "PIP"]), tmp_path) == [("a", "PIP"), ("b", "false")] * 2
    (tmp_path / "corpus" / "train" / "dataset_info.json").unlink()
    with pytest.raises(DataError, match=r"nothing there names them[\s\S]*`names` of the reader"):
        texts(task(**keys), tmp_path)
    relation = task(TaskKind.RELATION, **keys, names=["false", "PIP"])
    assert label_set(relation, read_split(relation, Split.TRAIN, tmp_path)) == ("PIP", "false")


def test_pairs_have_two_text_columns(tmp_path: Path) -> None:
    write_folder(tmp_path, {"text": ["a"], "other": ["b"], "label": ["x"]})
    found = read_split(task(second_text="other"), Split.TRAIN, tmp_path)[0]
    assert isinstance(found, Text)
    assert (found.text, found.second_text) == ("a", "b")


SENTENCES = {"tokens": [["a", "b"], ["c"]], "ner_tags": [[1, 2], [0]]}
LISTED = ["O", "B-x", "I-x"]


def test_tags_are_read_as_text_where_they_stand_as_text(tmp_path: Path) -> None:
    write_folder(tmp_path, SENTENCES | {"ner_tags_str": [["B-y", "I-y"], ["O"]]})
    assert sentences(task(TaskKind.NER), tmp_path) == ["B-y I-y", "O"]


@pytest.mark.parametrize("source", ["info", "features", "reader"])
def test_numbered_tags_are_named_by_info_by_the_folder_or_by_the_reader(tmp_path: Path, source: str) -> None:
    feature = {"feature": {"names": LISTED, "_type": "ClassLabel"}, "_type": "Sequence"}
    write_folder(tmp_path, SENTENCES, features={"ner_tags": feature} if source == "features" else {})
    if source == "info":
        write_folder(tmp_path, {"all_ner_tags": [LISTED]}, split="info")
    names = {"names": LISTED} if source == "reader" else {}
    assert sentences(task(TaskKind.NER, **names), tmp_path) == ["B-x I-x", "O"]


def test_splits_without_a_folder_are_held_out_by_the_text(tmp_path: Path) -> None:
    rows = [f"row {number // 2}" for number in range(200)]
    write_folder(tmp_path, {"text": rows, "label": ["x", "y"] * 100})
    spec = task(hold_out={"dev": 0.2, "test": 0.2})
    parts = {split: {text for text, _ in texts(spec, tmp_path, split)} for split in Split}
    assert set.union(*parts.values()) == set(rows)
    assert sum(map(len, parts.values())) == 100
    assert all(len(part) > 5 for part in parts.values())


FORMS = [
    "c{0}a , c{0}b with c{0}c or c{0}d today",
    "today c{0}a , c{0}b and c{0}c .",
    "c{0}a c{0}b c{0}c c{0}d",
]


def pairs_of(sentence: str) -> list[str]:
    """With each two of its concepts masked."""
    words = sentence.split()
    concepts = [place for place, word in enumerate(words) if word.startswith("c")]
    return [
        " ".join("@problem$" if place in pair else word for place, word in enumerate(words))
        for pair in combinations(concepts, 2)
    ]


def test_the_pairs_of_a_sentence_fall_into_one_split(tmp_path: Path) -> None:
    sentences = [FORMS[n % 3].format(n) for n in range(150)]
    rows = [pair for sentence in [*sentences, *sentences[:30]] for pair in pairs_of(sentence)]
    columns = {"text": rows, "label": [["PIP", "false"][n % 2] for n in range(len(rows))]}
    write_folder(tmp_path, columns)
    spec = task(TaskKind.RELATION, hold_out={"dev": 0.2, "test": 0.2})
    parts = {
        split: {number for text, _ in texts(spec, tmp_path, split) for number in re.findall(r"c(\d+)", text)}
        for split in Split
    }
    assert len(set.union(*parts.values())) == sum(map(len, parts.values())) == 150
    assert all(len(part) > 10 for part in parts.values())
    assert sum(len(texts(spec, tmp_path, split)) for split in Split) == len(rows)


@pytest.mark.parametrize(
    ("kind", "columns", "row", "fault"),
    [
        (TaskKind.CLASSIFICATION, {"text": ["a", "text"], "label": ["x", "label"]}, 2, "column names"),
        (TaskKind.CLASSIFICATION, {"text": ["a", "Text "], "label": ["x", " LABEL"]}, 2, "column names"),
        (TaskKind.CLASSIFICATION, {"text": ["a", " "], "label": ["x", MARKER]}, 2, "empty"),
        (TaskKind.CLASSIFICATION, {"text": ["a", None], "label": ["x", MARKER]}, 2, "not text"),
        (TaskKind.CLASSIFICATION, {"text": ["a", MARKER], "label": ["x", None]}, 2, "label"),
        (TaskKind.CLASSIFICATION, {"text": ["a", MARKER], "label": ["x", MARKER * 20]}, 2, "label"),
        (TaskKind.NER, {"tokens": [["a"], [MARKER]], "ner_tags_str": [["O"], []]}, 2, "one length"),
        (TaskKind.NER, {"tokens": [["a"], []], "ner_tags_str": [["O"], []]}, 2, "one length"),
        (TaskKind.NER, {"tokens": [["a"], [MARKER]], "ner_tags_str": [["O"], ["I-x"]]}, 2, "continues"),
        (TaskKind.NER, {"tokens": [["a"], [MARKER]], "ner_tags_str": [["O"], [MARKER]]}, 2, "tag"),
        (TaskKind.NER, {"tokens": [["a"], [MARKER, ""]], "ner_tags_str": [["O"], ["O", "O"]]}, 2, "token"),
    ],
)
def test_a_bad_row_is_an_error_at_its_number_or_left_out_and_counted(
    tmp_path: Path, kind: TaskKind, columns: dict[str, Any], row: int, fault: str
) -> None:
    write_folder(tmp_path, columns)
    with pytest.raises(DataError, match=fault) as caught:
        read_split(task(kind), Split.TRAIN, tmp_path)
    assert caught.value.line == row
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"
    faults = Faults("skip")
    assert len(read_split(task(kind, "skip"), Split.TRAIN, tmp_path, faults)) == 1
    assert faults.count == 1


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("state.json", "{", "names no data files"),
        ("state.json", '{"_data_files": []}', "names no data files"),
        ("state.json", '{"_data_files": [{"filename": "../../secret.arrow"}]}', "names no data files"),
        ("state.json", '{"_data_files": [{"filename": "gone.arrow"}]}', "Arrow"),
        ("dataset_info.json", "[]", "not a JSON object"),
        ("data-00000-of-00001.arrow", "", "Arrow"),
        ("data-00000-of-00001.arrow", MARKER, "Arrow"),
    ],
)
def test_a_broken_folder_is_an_error_even_where_bad_records_are_skipped(
    tmp_path: Path, file: str, content: str, fault: str
) -> None:
    folder = write_folder(tmp_path, {"text": [MARKER], "label": ["x"]})
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=fault) as caught:
        read_split(task(on_bad_record="skip"), Split.TRAIN, tmp_path)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"


def test_a_column_that_is_not_there_and_a_folder_of_splits_are_errors(tmp_path: Path) -> None:
    write_folder(tmp_path, {"sentence": ["a"], "label": ["x"]})
    with pytest.raises(DataError, match="no column 'text'"):
        read_split(task(), Split.TRAIN, tmp_path)
    (tmp_path / "corpus" / "dataset_dict.json").write_text("{}")
    with pytest.raises(DataError, match="several splits"):
        read_split(task(files={"train": ["corpus"]}), Split.TRAIN, tmp_path)


def test_a_summary_holds_counts_and_no_text(tmp_path: Path) -> None:
    write_folder(tmp_path, {"text": [MARKER, "b"] * 2, "label": ["x", "y"] * 2})
    summary = inspect_task(task(), tmp_path)
    assert summary["splits"]["train"]["labels"] == {"x": 2, "y": 2}
    assert MARKER not in json.dumps(summary)


FILES = ["state.json", "dataset_info.json", "data-00000-of-00001.arrow"]


@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_any_damage_gives_examples_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, file: str, changes: list[tuple[float, int]], kept: float
) -> None:
    root = tmp_path_factory.mktemp("any")
    numbered = {"label": {"names": ["x", "y"], "_type": "ClassLabel"}}
    folder = write_folder(root, {"text": [MARKER, "b", "c"], "label": [0, 1, 0]}, features=numbered)
    content = bytearray((folder / file).read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    (folder / file).write_bytes(content[: int(kept * len(content)) + 1] if kept < 0.9 else content)
    said = ""
    for on_bad_record in ("error", "skip"):
        try:
            read_split(task(on_bad_record=on_bad_record), Split.TRAIN, root)
        except DataError as error:
            said += f"{error!s} {error.__context__!r}"
    assert MARKER not in said


def test_rows_of_a_named_site_are_test_and_one_without_a_site_is_a_problem(tmp_path: Path) -> None:
    texts_of, sites = [f"note {n}" for n in range(30)], ["north", "south", "west"] * 10
    columns = {"text": texts_of, "label": ["y", "n"] * 15, "site": sites}
    write_folder(tmp_path, columns)
    spec = task(hold_out={"by": "site", "values": {"test": ["south"]}, "dev": 0.2})
    assert len(read_split(spec, Split.TEST, tmp_path)) == 10
    assert inspect_task(spec, tmp_path)["splits"]["test"]["groups"] == {"north": 0, "south": 10, "west": 0}
    write_folder(tmp_path / "other", columns | {"site": [None, *sites[1:]]})
    with pytest.raises(DataError, match="the column 'site' of hold_out is empty"):
        inspect_task(spec, tmp_path / "other")
