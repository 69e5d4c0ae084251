"""Tables as other programs write them: read where the reading is certain, else a message that says what was
seen."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Text, read_split
from workers.demo.corpora import write_task

MARKER = "Zzpatientword"
ROWS = [("a, b; c", "x"), ("d\te|f", "y"), ("g", "x")]


def task(name: str = "all", **reader: Any) -> TaskSpec:
    values = {"format": "csv", "text": "note", "label": "label", "files": {"train": [name]}}
    return TaskSpec.model_validate(
        {
            "name": "t",
            "title": "T",
            "kind": TaskKind.CLASSIFICATION,
            "domain": "clinical",
            "reader": values | reader,
            "metric": PRIMARY[TaskKind.CLASSIFICATION],
        }
    )


def read(
    root: Path, content: str | bytes, spec: TaskSpec | None = None, faults: Faults | None = None
) -> list[tuple[str, str]]:
    spec = spec or task()
    path = root / spec.reader.files[Split.TRAIN][0]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_split(spec, Split.TRAIN, root, faults)
    return [(example.text, example.label) for example in found if isinstance(example, Text)]


def refused(root: Path, content: str | bytes, spec: TaskSpec | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(root, content, spec)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"
    return str(caught.value)


def table(separator: str, rows: list[tuple[str, str]] = ROWS) -> str:
    return "".join(f'"{text}"{separator}{label}\n' for text, label in [("note", "label"), *rows])


@pytest.mark.parametrize(("named", "character"), [(";", ";"), ("tab", "\t"), ("|", "|"), (",", ",")])
def test_columns_are_separated_by_what_the_reader_names(tmp_path: Path, named: str, character: str) -> None:
    assert read(tmp_path, table(character), task(separator=named)) == ROWS


@pytest.mark.parametrize("character", [";", "\t", "|", ","])
@pytest.mark.parametrize("line", ["sep={}\n", "SEP={}\r\n", '"sep={}"\n', "\ufeffsep={}\n"])
def test_a_first_line_that_declares_the_separator_is_obeyed(
    tmp_path: Path, line: str, character: str
) -> None:
    assert read(tmp_path, line.format(character) + table(character)) == ROWS
    bad = line.format(character) + table(character) + f"{MARKER}\n"
    assert "line 6: 1 columns, where the header has 2" in refused(tmp_path, bad)


def test_a_declared_separator_that_contradicts_the_reader_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, "sep=;\n" + table(";"), task(separator="tab"))
    assert "line 1: it declares the separator ';'" in found
    assert "-> set `separator: ';'`" in found


@pytest.mark.parametrize(
    ("character", "seen"), [(";", "1 semicolon"), ("\t", "1 tab"), ("|", "1 bar")], ids=["semi", "tab", "bar"]
)
def test_another_separator_is_said_in_counts_with_the_key_to_set(
    tmp_path: Path, character: str, seen: str
) -> None:
    named = "tab" if character == "\t" else f"'{character}'"
    found = refused(tmp_path, table(character))
    assert f"line 1: it has 1 column and {seen}\n" in found
    assert f"-> set `separator: {named}` of the reader" in found
    assert "-> set `separator: ','` of the reader" in refused(tmp_path, table(","), task(separator=";"))


def test_another_separator_is_found_beside_commas_in_the_header(tmp_path: Path) -> None:
    found = refused(tmp_path, f"id;note, dictated;note;label\n1;{MARKER};b;x\n")
    assert "line 1: it has 2 columns and 3 semicolons" in found
    assert "set `separator: ';'`" in found


def test_a_file_without_a_header_is_said_to_lack_a_column(tmp_path: Path) -> None:
    found = refused(tmp_path, f"{MARKER} one; two; three,x\nb,y\n")
    assert "line 1: there is no column 'note'" in found
    assert "add a header line" in found


@pytest.mark.parametrize(("name", "character"), [(",", ","), (";", ";")])
def test_a_space_behind_each_separator_belongs_to_it(tmp_path: Path, name: str, character: str) -> None:
    content = f'note{character} label\n"a, b; c"{character} x\nd{character} "y"\n'
    assert read(tmp_path, content, task(separator=name)) == [("a, b; c", "x"), ("d", "y")]
    # Without it in the header, a space is part of the text.
    plain = f"label{character}note\nx{character} a\n"
    assert read(tmp_path, plain, task(separator=name)) == [(" a", "x")]


@pytest.mark.parametrize("head", ["note ,label", "\ufeffnote,label\t", "note\u200b,\u00a0label"])
def test_blanks_and_invisible_characters_around_names_are_no_part_of_them(tmp_path: Path, head: str) -> None:
    assert read(tmp_path, f"{head}\na,x\n") == [("a", "x")]


def test_blank_lines_above_the_header_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, "\r\n\nnote,label\na,x\n") == [("a", "x")]
    assert "line 4: the label is empty" in refused(tmp_path, f"\n\nnote,label\n{MARKER},\n")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_compressed_files_are_read(tmp_path: Path, form: str) -> None:
    rows = "".join(json.dumps({"note": text, "label": label}) + "\n" for text, label in ROWS)
    content = gzip.compress((table(",") if form == "csv" else rows).encode())
    assert read(tmp_path, content, task(f"all.{form}.gz", format=form)) == ROWS
    assert "rename it so that it ends in .gz" in refused(tmp_path, content, task(format=form))
    assert "unpacked as gzip" in refused(tmp_path, content[:-9], task(f"all.{form}.gz", format=form))
    assert "unpacked as gzip" in refused(tmp_path, b"note,label\n", task(f"all.{form}.gz", format=form))


HEADER = "note,label"


@pytest.mark.parametrize(
    "again", [HEADER, "Note,LABEL", '"note","label"', "\ufeffnote,label", "note, label "]
)
def test_a_header_in_the_middle_is_a_fault_of_its_line(tmp_path: Path, again: str) -> None:
    content = f"{HEADER}\na,x\nb,y\n{again}\nc,x\n"
    assert "line 4: it repeats the header\n    -> remove the line" in refused(tmp_path, content)
    faults = Faults("skip")
    assert read(tmp_path, content, None, faults) == [("a", "x"), ("b", "y"), ("c", "x")]
    assert faults.kinds == {"it repeats the header": 1}


def test_a_second_header_in_another_order_ends_the_reading_of_the_file(tmp_path: Path) -> None:
    content = f"{HEADER}\na,x\nlabel,note\ny,{MARKER}\n"
    for on_bad_record in ("error", "skip"):
        with pytest.raises(
            DataError, match="line 3: it repeats the header with its columns in another order"
        ):
            read(tmp_path, content, None, Faults(on_bad_record))


@pytest.mark.parametrize(
    "again",
    [
        '{"note": "note", "label": "label"}',
        '{"label": "Label ", "note": "\\ufeffNOTE"}',
        '{"id": "7", "note": "note", "label": "label"}',
    ],
)
def test_a_json_line_of_the_column_names_is_a_fault_of_it(tmp_path: Path, again: str) -> None:
    content = '{"note": "a", "label": "x"}\n' + again + '\n{"note": "label", "label": "note"}\n'
    spec = task(format="jsonl")
    assert "line 2: it repeats the column names\n    -> remove the line" in refused(tmp_path, content, spec)
    faults = Faults("skip")
    assert read(tmp_path, content, spec, faults) == [("a", "x"), ("label", "note")]
    assert faults.kinds == {"it repeats the column names": 1}


@pytest.mark.parametrize("blank", [" ", "\t", " \u00a0 \t", "\ufeff"])
def test_a_line_of_blanks_above_the_header_is_passed_over(tmp_path: Path, blank: str) -> None:
    assert read(tmp_path, f"{blank}\nnote,label\na,x\n") == [("a", "x")]


@pytest.mark.parametrize("head", ["label,note, id", "label, note,id", "label,note,id"])
def test_a_quote_behind_a_space_that_not_each_separator_has_is_said(tmp_path: Path, head: str) -> None:
    found = refused(tmp_path, f'{head}\nx, "{MARKER}, b", 1\n')
    assert "line 2: 4 columns, where the header has 3, as a quote behind a space quotes nothing" in found
    assert "-> remove the spaces that follow the separators" in found


@pytest.mark.parametrize(
    "row",
    [
        '{"note": "a", "label": "x", "label": "y"}',
        '{"note": "a", "label": "x", "label": "x"}',
        '{"label": "x", "note": "a", "l\\u0061bel": 1}',
    ],
)
def test_a_key_twice_in_a_json_line_is_a_fault_of_it(tmp_path: Path, row: str) -> None:
    content = '{"note": "b", "label": "x"}\n' + row + "\n"
    assert "line 2: duplicate key: 'label'\n    -> keep one of them" in refused(
        tmp_path, content, task(format="jsonl")
    )
    faults = Faults("skip")
    assert read(tmp_path, content, task(format="jsonl"), faults) == [("b", "x")]
    assert faults.count == 1


@pytest.mark.parametrize(
    "more",
    [f'{{"{MARKER}": 1, "{MARKER}": 2}}', f'[{{"{MARKER}": 1, "{MARKER}": 2}}]', '{"note": 1, "note": 1}'],
)
def test_a_key_twice_in_an_object_inside_is_a_fault_and_is_not_quoted(tmp_path: Path, more: str) -> None:
    content = f'{{"note": "b", "label": "x", "more": {more}}}\n'
    assert "line 1: duplicate key" in refused(tmp_path, content, task(format="jsonl"))


WORD = f"{MARKER} fièvre"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            f"note,label\n{WORD},x\n".encode("utf-16"),
            "got UTF-16 text\n    -> convert the file: iconv -f UTF-16",
        ),
        (f"note,label\n{WORD},x\n".encode("utf-16-le"), "iconv -f UTF-16LE"),
        (f"note,label\n{WORD},x\n".encode("utf-16-be"), "iconv -f UTF-16BE"),
        (f"note,label\n{WORD},x\n".encode("utf-32"), "got UTF-32 text"),
        (f"note,label\n{WORD},x\n".encode("utf-32-le"), "iconv -f UTF-32LE"),
        (f"note,label\n{WORD},x\n".encode("utf-32-be"), "iconv -f UTF-32BE"),
        (f"note,label\n{WORD},x\n".encode("latin-1"), "line 2: it is not UTF-8 text; it may be Latin-1"),
        (
            f"note,label\na,x\n{WORD} “a”,x\n".encode("cp1252"),
            "line 3: it is not UTF-8 text; it may be Windows-1252",
        ),
        (b"note,label\n\x81\xff,x\n", "line 2: it is not UTF-8 text\n"),
        (b"PK\x03\x04\x14\x00", "got a ZIP archive, as Excel workbooks are"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "got an Excel workbook"),
        (b"PAR1\x15\x04", "got a Parquet file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "run git lfs pull"),
    ],
)
def test_a_file_in_another_encoding_or_of_another_kind_is_called_what_it_is(
    tmp_path: Path, content: bytes, said: str
) -> None:
    for form in ("csv", "jsonl"):
        assert said in refused(tmp_path, content, task(format=form))


def test_the_byte_order_mark_of_excel_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfnote,label\r\na,x\r\n") == [("a", "x")]


@pytest.mark.parametrize("value", [";", "tab", ","])
def test_only_csv_has_a_separator(value: str) -> None:
    with pytest.raises(ValueError, match="separator: belongs to format: csv"):
        task(format="jsonl", separator=value)


def said(root: Path, content: str, spec: TaskSpec, faults: Faults) -> str:
    """What is said of a file beside its rows: its error, or the faults of what was left out."""
    try:
        rows = read(root, content, spec, faults)
    except DataError as error:
        return f"{error!s} {error.__context__!r}"
    assert all(text.strip() and label for text, label in rows)
    return str(faults.kinds)


LINES = st.lists(
    st.text(alphabet='ab,;|\t" \n\r=\ufeff\u200b', max_size=12)
    | st.sampled_from(["sep=;", "note,label", "note;label", "note, label", '"', "label,note"]),
    max_size=6,
)
PAIRS = st.lists(
    st.tuples(st.sampled_from(["note", "label", "id"]), st.text(max_size=5) | st.floats()), max_size=4
)


@given(LINES, st.sampled_from([None, ";", "tab"]))
def test_any_lines_give_rows_or_a_data_error_without_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], separator: str | None
) -> None:
    root = tmp_path_factory.mktemp("lines")
    content = "\n".join([*lines, f"{MARKER},{MARKER};{MARKER}"])
    for on_bad_record in ("error", "skip"):
        assert MARKER not in said(root, content, task(separator=separator), Faults(on_bad_record))


@given(st.lists(PAIRS, max_size=4))
def test_any_objects_give_rows_or_a_data_error_without_text(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, Any]]]
) -> None:
    root = tmp_path_factory.mktemp("objects")
    objects = ["{" + ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in row) + "}" for row in rows]
    content = "\n".join([*objects, f'{{"{MARKER}": 1, "note": "{MARKER}"}}'])
    for on_bad_record in ("error", "skip"):
        assert MARKER not in said(root, content, task(format="jsonl", id="id"), Faults(on_bad_record))


@pytest.mark.parametrize("name", ["all", "all.csv.gz"])
@pytest.mark.parametrize("separator", [None, ";", "tab"])
def test_invented_rows_are_written_as_the_reader_reads_them(
    tmp_path: Path, name: str, separator: str | None
) -> None:
    spec = task(name, separator=separator).model_copy(update={"made": MadeNotes(train=9)})
    write_task(spec, tmp_path)
    assert len(read_split(spec, Split.TRAIN, tmp_path)) == 9
