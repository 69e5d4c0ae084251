"""CSV and JSON-lines files, read through the door that the worker uses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.sameness import text_key
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError, DataError
from workers.data import Text, cap_rows, inspect_task, label_set, read_split
from workers.data.faults import Faults
from workers.data.readers.tables import read_table

MARKER = "Zzpatientword"


def task(kind: str = "csv", labels: tuple[str, ...] | None = None, **reader: object) -> TaskSpec:
    values = {"format": kind, "files": {"train": ("train",)}, "text": "text", "label": "label"}
    return TaskSpec(
        name="table",
        title="Table",
        kind=TaskKind.CLASSIFICATION,
        domain="clinical",
        reader=TableReader.model_validate(values | reader),
        labels=labels,
        metric=MetricName.MACRO_F1,
    )


def read(root: Path, content: str | bytes, spec: TaskSpec) -> list[Text]:
    (root / "train").write_bytes(content if isinstance(content, bytes) else content.encode())
    return [e for e in read_split(spec, Split.TRAIN, root) if isinstance(e, Text)]


def test_quoted_line_breaks_commas_and_quotes_are_part_of_the_text(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,text,label\r\n1,"a\nb, ""c""\r\nd",x\r\n2,e,y', task())
    assert [(row.text, row.label) for row in rows] == [('a\nb, "c"\r\nd', "x"), ("e", "y")]


def test_json_lines_may_hold_numbers_as_labels_and_pairs_of_texts(tmp_path: Path) -> None:
    spec = task("jsonl", second_text="other")
    rows = read(tmp_path, '{"text": "a\\nb", "other": "c", "label": 1, "more": []}\n\n', spec)
    assert [(row.text, row.second_text, row.label) for row in rows] == [("a\nb", "c", "1")]


@pytest.mark.parametrize(
    ("value", "label"), [("true", "true"), ("false", "false"), ("1.0", "1"), ("-2.0", "-2")]
)
def test_truth_values_and_whole_floats_of_json_are_labels_as_json_and_ids_spell_them(
    tmp_path: Path, value: str, label: str
) -> None:
    content = f'{{"text": "a", "label": {value}}}\n{{"text": "b", "label": "{label}"}}\n'
    assert [row.label for row in read(tmp_path, content, task("jsonl"))] == [label, label]


def test_a_truth_value_is_no_id(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the id is not of a type that is read"):
        read(tmp_path, '{"id": true, "text": "a", "label": "x"}\n', task("jsonl", id="id"))


def test_merged_labels_are_those_of_the_task(tmp_path: Path) -> None:
    spec = task(labels=("z", "y"), merge={"x": "z"})
    rows = read(tmp_path, "text,label\na,x\nb,y\n", spec)
    assert [row.label for row in rows] == ["z", "y"]
    assert label_set(spec, rows) == ("z", "y")


def test_a_very_long_text_is_read_whole(tmp_path: Path) -> None:
    long = "word " * 60_000
    assert read(tmp_path, f'text,label\n"{long}",x\n', task())[0].text == long


def test_a_column_that_is_not_there_brings_a_guess(tmp_path: Path) -> None:
    close = r"no column 'label'[\s\S]*column 2 of its 2 has a name close to that: set `label`"
    with pytest.raises(DataError, match=close):
        read(tmp_path, "text,lable\na,x\n", task())
    with pytest.raises(DataError, match=r"no column 'label'[\s\S]*did you mean 'LABEL_'\? set `label`"):
        read(tmp_path, "text,LABEL_\na,x\n", task())
    with pytest.raises(DataError, match=r"line 2[\s\S]*column 1 of its 2 has a name close to that"):
        read(tmp_path, '{"text": "a", "label": "x"}\n{"txt": "a", "label": "x"}\n', task("jsonl"))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("csv", "Peter,x\nb,y\n"),
        ("csv", "Mabel,x\nb,y\n"),
        ("csv", "text,Mabel\nb,y\n"),
        ("csv", "Dexter,Isabel\nb,y\n"),
        ("jsonl", '{"Dexter": "a", "label": "x"}\n'),
        ("jsonl", '{"text": "a", "Mabel": "x"}\n'),
    ],
)
@pytest.mark.parametrize("column", ["letter", "label", "text"])
def test_a_guess_never_quotes_a_cell_or_a_key(tmp_path: Path, kind: str, content: str, column: str) -> None:
    for wanted in (task(kind, text=column), task(kind, text="text", label=column)):
        try:
            read(tmp_path, content, wanted)
        except DataError as error:
            said = f"{error} {error.__context__!r}"
            assert not any(name in said for name in ("Peter", "Mabel", "Dexter", "Isabel"))


@pytest.mark.parametrize(
    ("kind", "content", "line", "fault"),
    [
        ("csv", f"text,label\na,x\n{MARKER},\n", 3, "label is empty"),
        ("csv", f"text,label\n,{MARKER}\n", 2, "text is empty"),
        ("csv", f'text,label\n"a\nb",x\n{MARKER}\n', 4, "1 columns, where the header has 2"),
        ("csv", f'text,label\na,x\n"{MARKER},x\n', 3, "not CSV"),
        ("csv", f'text,label\n"a" {MARKER},x\n', 2, "not CSV"),
        ("csv", f"{MARKER},{MARKER} text\n", 1, "no column"),
        ("csv", f"text,text,label\n{MARKER},a,x\n", 1, "twice"),
        ("csv", f"text,label\na,{MARKER * 10}\n", 2, "longer than"),
        ("csv", f"text,label\na,x\n{MARKER}\xff,x\n".encode("latin-1"), 3, "UTF-8"),
        ("csv", "text,label\n", None, "no example"),
        ("csv", "", None, "no example"),
        ("jsonl", f'{{"text": "{MARKER}", "label": "x"\n', 1, "not a JSON object"),
        ("jsonl", f'{{"text": "a", "label": "x"}}\n["{MARKER}"]\n', 2, "not a JSON object"),
        ("jsonl", "[" * 100_000, 1, "not a JSON object"),
        ("jsonl", f'{{"text": ["{MARKER}"], "label": "x"}}\n', 1, "type"),
        ("jsonl", f'{{"text": "{MARKER}", "label": null}}\n', 1, "empty"),
        ("jsonl", f'{{"text": "{MARKER}", "label": 0.5}}\n', 1, "type"),
        ("jsonl", f'{{"text": "{MARKER}\\ud800", "label": "x"}}\n', 1, "Unicode"),
    ],
)
def test_a_fault_names_file_and_line_and_never_the_text(
    tmp_path: Path, kind: str, content: str | bytes, line: int | None, fault: str
) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read(tmp_path, content, task(kind))
    assert caught.value.line == line
    assert str(tmp_path / "train") in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value!r} {caught.value.__context__!r}"


def test_a_label_outside_the_declared_ones_is_a_fault_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, f"text,label\na,x\nb,{MARKER}\n", task(labels=("x", "y")))
    assert caught.value.line == 3
    assert MARKER not in str(caught.value)


def test_one_class_teaches_nothing(tmp_path: Path) -> None:
    rows = read(tmp_path, "text,label\na,x\nb,x\n", task())
    with pytest.raises(DataError, match="one class only"):
        label_set(task(), rows)


def test_a_split_without_files_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"reader\.files\.dev"):
        read_split(task(), Split.DEV, tmp_path)


def test_a_summary_holds_counts_and_no_text(tmp_path: Path) -> None:
    (tmp_path / "train").write_text(f"text,label\n{MARKER},x\nb,y\nc,y\n")
    summary = inspect_task(task(), tmp_path)
    assert (summary["metric"], summary["labels"]) == ("macro_f1", ["x", "y"])
    train = summary["splits"]["train"]
    assert (train["documents"], train["examples"], train["labels"]) == (3, 3, {"x": 1, "y": 2})
    assert train["skipped"] == train["set_aside"] == {}
    assert MARKER not in json.dumps(summary)


def test_a_cap_keeps_one_of_each_class_and_always_the_same_ones() -> None:
    examples = [Text(str(i), None, "rare" if i == 41 else f"often-{i % 3}", str(i)) for i in range(200)]
    capped = cap_rows(examples, 5)
    assert {e.label for e in capped} == {"rare", "often-0", "often-1", "often-2"}
    assert set(capped) <= set(cap_rows(examples, 20)) <= set(examples)
    assert cap_rows([Text("x", None, e.label, "") for e in examples], 20) == [
        Text("x", None, e.label, "") for e in cap_rows(examples, 20)
    ]
    assert cap_rows(examples, None) == cap_rows(examples, 500) == examples


CELL = st.text(min_size=1, max_size=30).filter(lambda s: bool(text_key(s)) and "\x00" not in s)


@given(rows=st.lists(st.tuples(CELL.filter(lambda s: s.isprintable()), CELL), min_size=1, max_size=5))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    content = io.StringIO(newline="")
    csv.writer(content, quoting=csv.QUOTE_ALL).writerows([("label", "text"), *rows])
    found = read(tmp_path_factory.mktemp("written"), content.getvalue(), task())
    assert [(row.label, row.text) for row in found] == [(label.strip(), text) for label, text in rows]


@given(
    st.binary(max_size=200)
    | st.text(alphabet='a,"\n\r\\', max_size=60).map(lambda s: f"text,label\n{s}".encode())
    | st.text(alphabet='{}[]":,text\nlabel1', max_size=60).map(str.encode)
)
@example(b'text,label\n"a\x00",x')
@example(b'{"text": "a", "label": 1e999}')
@example(b'{"text": "a", "label": ' + b"1" * 5000 + b"}")
def test_any_bytes_give_examples_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "train"
    path.write_bytes(content)
    for spec in (task(), task("jsonl")):
        assert isinstance(spec.reader, TableReader)
        try:
            examples = [
                *read_table(path, "train", spec.reader, spec.kind, None, Faults("error"), lambda *_: True)
            ]
        except DataError:
            continue
        assert all(e.text.strip() and e.label for e in examples)
