"""`on_bad_record` of the line-based formats: an error at its line, or left out and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Tokens, read_corpus, read_split

MARKER = "Zzpatientword"
CSV = {"format": "csv", "text": "text", "label": "label"}
JSONL = CSV | {"format": "jsonl"}
CONLL = {"format": "conll"}
PUBTATOR = {"format": "pubtator", "entity_types": ["x"]}
DOCUMENT = "{0}|t|Aa bb\n{0}|a|cc\n{0}\t0\t2\tAa\tx\tI\n"


def task(reader: dict[str, Any], on_bad_record: str) -> TaskSpec:
    kind = TaskKind.NER if reader["format"] in ("conll", "pubtator") else TaskKind.CLASSIFICATION
    return TaskSpec.model_validate(
        {
            "name": "notes",
            "title": "Notes",
            "kind": kind,
            "domain": "clinical",
            "reader": reader | {"files": {"train": ["train"]}},
            "metric": PRIMARY[kind],
            "on_bad_record": on_bad_record,
        }
    )


def read(root: Path, reader: dict[str, Any], content: str, faults: Faults | None = None) -> list[str]:
    (root / "train").write_bytes(content.encode())
    found = read_split(task(reader, faults.on_bad_record if faults else "error"), Split.TRAIN, root, faults)
    return [" ".join(e.tokens) if isinstance(e, Tokens) else e.text for e in found]


@pytest.mark.parametrize(
    ("reader", "content", "line", "kept", "skipped"),
    [
        (CSV, f'text,label\n"a\nb",x\n{MARKER}\nc,\nd,y\n', 4, ["a\nb", "d"], 2),
        (JSONL, f'{{"text": "a", "label": "x"}}\n{MARKER}\n{{"text": "b"}}\n', 2, ["a"], 2),
        (CONLL, f"a\tO\n\nb\tB-x\n{MARKER}\tI-y\nc\n\nd\tO\n", 4, ["a", "d"], 1),
        (
            PUBTATOR,
            f"{DOCUMENT.format(1)}\n{DOCUMENT.format(2)}2\t0\t3\t{MARKER}\tx\n\n{DOCUMENT.format(3)}",
            8,
            ["Aa bb cc", "Aa bb cc"],
            1,
        ),
    ],
    ids=["csv", "jsonl", "conll", "pubtator"],
)
def test_a_record_is_left_out_whole_and_the_others_are_kept(
    tmp_path: Path, reader: dict[str, Any], content: str, line: int, kept: list[str], skipped: int
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, reader, content)
    assert caught.value.line == line
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"
    faults = Faults("skip")
    assert read(tmp_path, reader, content, faults) == kept
    assert faults.count == skipped
    assert MARKER not in str(faults.kinds)


@pytest.mark.parametrize(
    ("reader", "content", "fault"),
    [
        (CSV, f'text,label\na,x\n"{MARKER},y\nb,y\n', "not CSV"),
        (CSV, f"text,lable\n{MARKER},x\n", "no column"),
        (CONLL, f"{MARKER}\tI-x\n", "no example"),
    ],
)
def test_what_spoils_a_whole_file_stays_an_error(
    tmp_path: Path, reader: dict[str, Any], content: str, fault: str
) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read(tmp_path, reader, content, Faults("skip"))
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"


def test_where_nothing_is_left_the_message_says_what_was_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all 3 that were found are left out, 2 of them") as caught:
        read(tmp_path, CSV, f"text,label\n{MARKER},\n{MARKER},\n{MARKER}\n", Faults("skip"))
    assert "the label is empty" in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"


def test_all_malformed_rows_of_all_splits_are_named_at_once_in_the_order_of_their_lines(
    tmp_path: Path,
) -> None:
    rows = [f"{MARKER}," if n < 14 else f"{MARKER} {n}" for n in range(15)]
    (tmp_path / "train").write_text("text,label\na,x\nb,y\n" + "\n".join(rows) + "\n,x\n")
    (tmp_path / "test").write_text("text,label\na,\n")
    described = task(CSV, "error").model_dump(mode="json")
    described["reader"]["files"]["test"] = ["test"]
    with pytest.raises(DataError) as caught:
        read_corpus(TaskSpec.model_validate(described), tmp_path)
    train, test = tmp_path / "train", tmp_path / "test"
    fill = "    -> fill it in, or remove the row"
    assert str(caught.value).splitlines() == [
        f"{test}, line 2: the label is empty",
        fill,
        f"{train}, lines 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 4 more: the label is empty",
        fill,
        f"{train}, line 18: 1 columns, where the header has 2",
        "    -> quote texts that hold separators or line breaks",
        f"{train}, line 19: the text is empty",
        fill,
    ]
    assert MARKER not in f"{caught.value.__context__!r}"


def test_a_kept_fault_holds_no_row(tmp_path: Path) -> None:
    content = '{"text": "' + MARKER + '", "label": 7.5}\n'
    (tmp_path / "train").write_text(content * 2)
    faults = Faults("error", together=True)
    read_split(task(JSONL, "error"), Split.TRAIN, tmp_path, faults)
    assert len(faults.errors) == 2
    assert [error.__traceback__ for error in faults.errors.values()] == [None, None]


def test_reading_stops_where_nearly_every_record_is_malformed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("workers.data.faults._MOST", 5)
    (tmp_path / "train").write_text("text,label\n" + "a,\n" * 50)
    with pytest.raises(DataError) as caught:
        read_corpus(task(CSV, "error"), tmp_path, [Split.TRAIN])
    assert "more than 5 malformed records: not read further" in str(caught.value)
    assert "lines 2, 3, 4, 5 and 6: the label is empty" in str(caught.value)


def test_a_row_that_two_splits_of_one_file_read_is_named_once(tmp_path: Path) -> None:
    rows = "".join(f"text {n},{'xy'[n % 2]}\n" for n in range(40))
    (tmp_path / "train").write_text(f"text,label\n{rows}{MARKER}\nb,\n")
    held_out = task(CSV | {"hold_out": {"dev": 0.2, "test": 0.2}}, "error")
    with pytest.raises(DataError) as caught:
        read_corpus(held_out, tmp_path)
    assert str(caught.value).count("line 42: ") == str(caught.value).count("line 43: ") == 1


def test_document_marks_of_conll_are_no_sentences_but_name_documents(tmp_path: Path) -> None:
    content = "-DOCSTART- -X- O O\n\na O\n\nb O\n\n-DOCSTART-\nc O\n"
    reader = CONLL | {"separator": "space"}
    assert read(tmp_path, reader, content) == ["a", "b", "c"]
    documents = [e.document for e in read_split(task(reader, "error"), Split.TRAIN, tmp_path)]
    assert documents == ["train#1", "train#1", "train#2"]


def test_a_fault_that_was_told_is_not_chained_to_what_was_handled(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, JSONL, MARKER)
    assert caught.value.__suppress_context__


READERS = st.sampled_from([CSV, JSONL, CONLL, CONLL | {"separator": "space"}, PUBTATOR])
HEADS = st.sampled_from(["", "text,label\n", "a\tO\n", "1|t|a\n1|a|b\n", '{"text": "a", "label": "x"}\n'])
BODY = st.text(alphabet='aB-xIO1|t{}[]":,\t \r\n\\', max_size=80) | st.text(max_size=40)


@given(READERS, HEADS, BODY, BODY)
def test_skipping_changes_nothing_but_what_is_malformed(
    tmp_path_factory: pytest.TempPathFactory, reader: dict[str, Any], head: str, before: str, after: str
) -> None:
    root = tmp_path_factory.mktemp("any")
    content = (head + before + MARKER + after).encode("utf-8", "replace").decode()
    strict: list[str] | None = None
    lenient: list[str] | None = None
    said, faults = "", Faults("skip")
    try:
        strict = read(root, reader, content)
    except DataError as error:
        said += f"{error!s} {error.__context__!r}"
    try:
        lenient = read(root, reader, content, faults)
    except DataError as error:
        said += f"{error!s} {error.__context__!r}"
    assert MARKER not in said
    if strict is not None:
        assert (lenient, faults.count) == (strict, 0)
    elif lenient is not None:
        assert faults.count > 0
