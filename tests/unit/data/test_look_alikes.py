"""Labels that only look alike are refused, with both spellings made visible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from orchestrator.config.task_files import DescribedTask
from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, inspect_task, read_split

MARKER = "Zzpatientword"
TWINS = {
    "zero-width space": ("toux", "toux\u200b", r"'toux\u200b'"),
    "decomposed": ("fièvre", "fie\u0300vre", r"'fie\u0300vre'"),
    "soft hyphen": ("toux", "to\u00adux", r"'to\xadux'"),
    "joiner": ("toux", "\u200dtoux", r"'\u200dtoux'"),
    "byte order mark": ("toux", "\ufefftoux", r"'\ufefftoux'"),
}
BLANKS = {
    "no-break space": ("a b", "a\u00a0b", r"'a\xa0b'"),
    "two blanks": ("a b", "a  b", "'a  b'"),
    "decimals": ("1", "1.0", "'1.0'"),
}


def task(kind: TaskKind, reader: dict[str, Any], **more: Any) -> TaskSpec:
    values = {"name": "t", "title": "T", "kind": kind, "domain": "clinical", "metric": PRIMARY[kind]}
    files = {"files": {"train": ["train"], "test": ["test"]}}
    return TaskSpec.model_validate(values | {"reader": files | reader} | more)


def described(kind: TaskKind, reader: dict[str, Any], **more: Any) -> str:
    """The mistakes of a task of a catalogue."""
    spec = task(kind, {"files": {split: [split] for split in Split}} | reader, **more)
    with pytest.raises(ValueError, match="1 validation error") as caught:
        DescribedTask.model_validate(spec.model_dump(mode="json"))
    return str(caught.value)


def write_rows(path: Path, form: str, labels: list[str]) -> None:
    rows = [(f"{MARKER} {n}", label) for n, label in enumerate(labels)]
    table = pyarrow.table({"text": [t for t, _ in rows], "label": labels})
    if form == "parquet":
        pyarrow.parquet.write_table(table, path)
        return
    if form == "arrow":
        path.mkdir()
        with (
            pyarrow.OSFile(str(path / "data.arrow"), "wb") as sink,
            pyarrow.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)
        (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
        return
    lines = ["text,label", *(f"{text},{label}" for text, label in rows)]
    if form == "jsonl":
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    path.write_text("\n".join(lines), encoding="utf-8")


def refusal(root: Path, spec: TaskSpec) -> str:
    with pytest.raises(DataError) as caught:
        inspect_task(spec, root)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"
    return str(caught.value)


@pytest.mark.parametrize("form", ["csv", "jsonl", "arrow", "parquet"])
@pytest.mark.parametrize("name", TWINS | BLANKS)
def test_classes_that_look_alike_are_refused_with_line_and_both_spellings(
    tmp_path: Path, name: str, form: str
) -> None:
    plain, twin, shown = (TWINS | BLANKS)[name]
    write_rows(tmp_path / "train", form, [plain, twin, "other", "other"] * 2)
    write_rows(tmp_path / "test", form, [plain, "other"])
    spec = task(TaskKind.CLASSIFICATION, {"format": form, "text": "text", "label": "label"})
    found = refusal(tmp_path, spec)
    assert f"line {3 if form == 'csv' else 2}: the label {shown} looks like '{plain}'" in found
    assert f"line {2 if form == 'csv' else 1})" in found
    assert ("merge" in found) == (form in ("csv", "jsonl"))


@pytest.mark.parametrize("form", ["csv", "jsonl", "arrow", "parquet"])
def test_a_class_of_test_that_looks_like_one_of_train_is_refused(tmp_path: Path, form: str) -> None:
    write_rows(tmp_path / "train", form, ["yes", "no"] * 3)
    write_rows(tmp_path / "test", form, ["yes\u200b", "no"])
    spec = task(TaskKind.CLASSIFICATION, {"format": form, "text": "text", "label": "label"})
    assert rf"the label 'yes\u200b' looks like 'yes' ({tmp_path / 'train'}, line" in refusal(tmp_path, spec)


@pytest.mark.parametrize("form", ["csv", "jsonl", "arrow", "parquet"])
def test_a_class_that_looks_like_a_declared_one_is_a_fault_with_its_spelling(
    tmp_path: Path, form: str
) -> None:
    write_rows(tmp_path / "train", form, ["yes", "no", "yes\u2060"])
    reader = {"format": form, "text": "text", "label": "label"}
    spec = task(TaskKind.CLASSIFICATION, reader, labels=["no", "yes"])
    with pytest.raises(DataError, match=r"does not hold\n    -> write 'yes' instead of 'yes\\u2060'"):
        read_split(spec, Split.TRAIN, tmp_path)
    faults = Faults("skip")
    assert len(read_split(spec, Split.TRAIN, tmp_path, faults)) == 2
    assert faults.count == 1


def test_merged_spellings_are_one_class(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_rows(tmp_path / split, "csv", ["1", "1.0", "0", "1\u200b"])
    reader = {"format": "csv", "text": "text", "label": "label", "merge": {"1.0": "1", "1\u200b": "1"}}
    assert inspect_task(task(TaskKind.CLASSIFICATION, reader), tmp_path)["labels"] == ["0", "1"]


def test_labels_that_differ_in_case_are_two(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_rows(tmp_path / split, "csv", ["Yes", "yes"] * 2)
    spec = task(TaskKind.CLASSIFICATION, {"format": "csv", "text": "text", "label": "label"})
    assert inspect_task(spec, tmp_path)["labels"] == ["Yes", "yes"]


def test_text_that_was_taken_for_labels_is_not_shown_however_alike(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_rows(tmp_path / split, "csv", [MARKER, f"{MARKER}\u200b", "a", "b"])
    spec = task(TaskKind.CLASSIFICATION, {"format": "csv", "text": "text", "label": "label"})
    assert "one example only" in refusal(tmp_path, spec)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("form", ["conll", "pubtator", "i2b2-xml"])
def test_entity_types_that_look_alike_are_refused(tmp_path: Path, name: str, form: str) -> None:
    plain, twin, shown = TWINS[name]
    if form == "conll":
        content = "".join(f"{MARKER}\tB-{kind}\nb\tO\n\n" for kind in (plain, plain, twin, twin))
    elif form == "pubtator":
        blocks = [
            f"{n}|t|Aa bb\n{n}|a|cc\n{n}\t0\t2\tAa\t{kind}\tI\n"
            for n, kind in enumerate((plain, plain, twin))
        ]
        content = "\n".join(blocks)
    for split in ("train", "test"):
        if form == "i2b2-xml":
            (tmp_path / split).mkdir()
            for n, kind in enumerate((plain, plain, twin, twin)):
                tag = f'<EVENT id="E" start="0" end="2" text="Aa" type="{kind}"/>'
                xml = f"<R><TEXT>Aa {MARKER}</TEXT><TAGS>{tag}</TAGS></R>"
                (tmp_path / split / f"{n}.xml").write_text(xml, encoding="utf-8")
        else:
            (tmp_path / split).write_text(content, encoding="utf-8")
    readers: dict[str, dict[str, Any]] = {
        "conll": {"format": "conll"},
        "pubtator": {"format": "pubtator", "entity_types": [plain]},
        "i2b2-xml": {"format": "i2b2-xml", "attribute": "type"},
    }
    found = refusal(tmp_path, task(TaskKind.NER, readers[form]))
    assert f"the label {shown} looks like '{plain}'" in found


@pytest.mark.parametrize("name", TWINS | BLANKS)
def test_labels_of_a_task_that_look_alike_are_a_mistake_of_it(name: str) -> None:
    plain, twin, shown = (TWINS | BLANKS)[name]
    reader = {"format": "csv", "text": "text", "label": "label"}

    def mistake(**more: Any) -> str:
        return described(TaskKind.CLASSIFICATION, reader | more.pop("reader", {}), **more)

    assert f"labels: '{plain}' and {shown} look alike" in mistake(labels=[plain, twin, "other"])
    assert "reader.merge" in mistake(reader={"merge": {plain: "one", twin: "two"}})
    assert "reader.merge" in mistake(reader={"merge": {"one": plain, "two": twin}})
    assert "reader.merge" in mistake(labels=[plain, "other"], reader={"merge": {twin: "other"}})
    assert task(TaskKind.CLASSIFICATION, reader | {"merge": {twin: plain}}, labels=[plain, "other"])


def test_entity_types_and_names_of_a_reader_that_look_alike_are_a_mistake_of_it() -> None:
    found = described(TaskKind.NER, {"format": "pubtator", "entity_types": ["a", "a\u200b"]})
    assert r"reader.entity_types: 'a' and 'a\u200b' look alike" in found
    found = described(TaskKind.CLASSIFICATION, {"format": "arrow", "names": ["1", "1.0"]})
    assert "reader.names: '1' and '1.0' look alike" in found


@pytest.mark.parametrize("kind", [TaskKind.NER, TaskKind.RELATION])
@pytest.mark.parametrize("name", TWINS)
def test_a_type_that_no_file_spells_as_the_reader_does_is_to_be_written_as_the_reader_does(
    tmp_path: Path, name: str, kind: TaskKind
) -> None:
    """Then train has nothing of the task, which is not the cause."""
    plain, twin, shown = TWINS[name]
    reader = {"format": "pubtator", "entity_types": ["Drug", plain if kind is TaskKind.NER else "Sign"]}
    more: dict[str, Any] = {}
    if kind is TaskKind.RELATION:
        reader |= {"relation": plain}
        more = {"negative_label": "none"}
    sign = twin if kind is TaskKind.NER else "Sign"
    blocks = [
        f"{n}|t|Aa bb {MARKER}\n{n}|a|\n{n}\t0\t2\tAa\tDrug\tD1\n{n}\t3\t5\tbb\t{sign}\tS1\n"
        f"{n}\t{twin if kind is TaskKind.RELATION else 'CID'}\tD1\tS1\n"
        for n in range(4)
    ]
    for split in ("train", "test"):
        (tmp_path / split).write_text("\n".join(blocks), encoding="utf-8")
    found = refusal(tmp_path, task(kind, reader, **more))
    assert f"the label {shown} looks like '{plain}'" in found
    assert f"-> write '{plain}' everywhere" in found


def test_a_class_of_test_that_looks_like_the_only_one_of_train_is_told_first(tmp_path: Path) -> None:
    write_rows(tmp_path / "train", "csv", ["yes"] * 3)
    write_rows(tmp_path / "test", "csv", ["yes\u200b"] * 3)
    spec = task(TaskKind.CLASSIFICATION, {"format": "csv", "text": "text", "label": "label"})
    assert r"the label 'yes\u200b' looks like 'yes'" in refusal(tmp_path, spec)


def test_one_text_in_the_place_of_all_labels_is_not_shown(tmp_path: Path) -> None:
    write_rows(tmp_path / "train", "csv", [MARKER])
    write_rows(tmp_path / "test", "csv", [f"{MARKER}\u200b"])
    spec = task(TaskKind.CLASSIFICATION, {"format": "csv", "text": "text", "label": "label"})
    assert "one class only" in refusal(tmp_path, spec)


@pytest.mark.parametrize("labels", [["1", "1.0"], ["yes", "yes\u200b"], ["a b", "a\u00a0b"]])
def test_a_record_of_a_task_is_read_whatever_looks_alike_or_is_named_twice_in_it(labels: list[str]) -> None:
    """Sweeps were recorded before these were mistakes."""
    reader = {"format": "csv", "text": "text", "label": "label"}
    twice = {"files": {"train": ["a", "a"], "dev": ["a"], "test": ["./a"]}}
    recorded = task(TaskKind.CLASSIFICATION, reader | twice, labels=labels)
    assert TaskSpec.model_validate_json(recorded.model_dump_json()) == recorded
    found = described(TaskKind.CLASSIFICATION, reader | twice, labels=labels)
    assert "names a 2 times" in found
    assert "reader.files.dev" in found
    assert "look alike" in found
