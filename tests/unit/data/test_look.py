"""What a worker says about a file that no task describes: names, counts and lengths, and never a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arrow_folders import write_folder

from orchestrator.contracts.data_look import DataLook, LookRequest
from orchestrator.errors import DataError
from workers.data.look import look

CONLL = "Take\tO\naspirin\tB-Drug\n\nNone\tO\n\nStop\tO\nstatins\tB-Drug\n"
MARKER = "Xanadu"  # in each value: no answer may hold it


def looked(path: Path, content: str | bytes, **keys: object) -> DataLook:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return look(LookRequest(path=str(path), **keys))  # type: ignore[arg-type]


def rows(separator: str = ",") -> str:
    header = separator.join(["patient", "letter", "urgency"])
    cells = (
        separator.join([f"{MARKER}{n // 2}", f"{MARKER} was seen on day {n}", f"{MARKER} {n % 3}"])
        for n in range(30)
    )
    return "\n".join([header, *cells]) + "\n"


@pytest.mark.parametrize(("separator", "name"), [(",", None), (";", ";"), ("\t", "tab"), ("|", "|")])
def test_the_separator_of_a_csv_is_seen_and_no_value_is_told(
    tmp_path: Path, separator: str, name: str | None
) -> None:
    found = looked(tmp_path / "a.csv", rows(separator))
    assert (found.format, found.rows, found.separator) == ("csv", 30, name)
    assert [(c.name, c.distinct) for c in found.columns] == [("patient", 15), ("letter", 30), ("urgency", 3)]
    assert [c.sizes for c in found.columns] == [tuple([2] * 15), None, None]  # urgency: of several words
    assert MARKER not in found.model_dump_json()


def test_json_lines_are_seen_by_their_objects_and_rare_keys_are_counted_only(tmp_path: Path) -> None:
    objects = [{"note": f"See patient {n} again soon", "due": n % 2 == 0} for n in range(20)]
    objects[3][MARKER] = "x"
    found = looked(tmp_path / "a.json", "\n".join(map(json.dumps, objects)))
    assert [(c.name, c.distinct, c.sizes) for c in found.columns] == [
        ("note", 20, None),
        ("due", 2, (10, 10)),
    ]
    assert found.other_columns == 1
    assert MARKER not in found.model_dump_json()


@pytest.mark.parametrize(
    ("content", "separator", "token", "tag"),
    [
        (CONLL, "tab", 0, 1),
        (CONLL.replace("\t", " "), "space", 0, 1),
        (CONLL.replace("\t", "\tNN\t"), "tab", 0, 2),
        (
            "".join(f"{n}\t{line}\n" if line else "\n" for n, line in enumerate(CONLL.splitlines())),
            "tab",
            1,
            2,
        ),
    ],
)
def test_columns_of_words_and_tags_are_seen_whatever_separates_them(
    tmp_path: Path, content: str, separator: str, token: int, tag: int
) -> None:
    found = looked(tmp_path / "a.txt", content)
    assert (found.format, found.separator, found.token_column, found.tag_column) == (
        "conll",
        separator,
        token,
        tag,
    )
    assert (found.rows, found.entities) == (3, {"Drug": 2})


def test_a_folder_of_splits_names_its_words_and_tags(tmp_path: Path) -> None:
    sentences = {"tokens": [["Take", "aspirin"]] * 4, "ner_tags_str": [["O", "B-Drug"]] * 4}
    for split in ("train", "validation"):
        write_folder(tmp_path, sentences, split)
    found = look(LookRequest(path=str(tmp_path / "corpus")))
    assert found.folders == {"train": "train", "dev": "validation"}
    assert [(c.name, c.lists, c.tags) for c in found.columns] == [
        ("tokens", True, False),
        ("ner_tags_str", True, True),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", rows().encode("utf-16"), "UTF-16"),
        ("a.csv", rows().replace("day", "Tag für").encode("latin-1"), "iconv -f WINDOWS-1252 -t UTF-8"),
        ("a.csv", rows().partition("\n")[2], "the first line looks like a row"),
        ("a.csv", "urgent,a b\nurgent,c\nsoon,d\n", "the first line looks like a row"),
        ("a.csv", "Dr Xanadu saw her on 3/4/2019 at home,1\nb,2\n", "the first line looks like a row"),
        ("a.csv", "text,text\na,b\n", "two columns have the same name"),
        ("a.csv", "text\na\nb\n", "the first line has 1 column"),
        ("a.csv", "", "it is empty"),
        ("a.csv", "sep=;\n", "it has no line of columns"),
        ("a.csv", "\u200b\n", "it has no line of columns"),
        ("a.jsonl", '{"Zzmarker Smith": "has fever", "Mary Jones": "is well"}\n', "it has one row"),
        ("a.json", "[{}]", "jq -c"),
        ("a.csv", "text,label\na, b,x\nc, d,y\n", "line 2: 3 columns, where the header has 2"),
        ("a.conll", "a O\nb DRUG\n\nc O\nd O\n", "do not begin with B- or I-"),
        ("a.tsv", "a\tO\nb\tI-DRUG\n\nc\tO\nd\tO\n", "no tag of its words begins with B-"),
        ("a.conll", "a O\nb S-DRUG\n\nc O\nd B-DRUG\ne E-DRUG\nf O\n", "S- or U- becomes B-"),
        ("a.txt", "1|t|Title\n1|a|Abstract\n", "PubTator"),
        ("a.parquet", b"PAR1", "it is not a Parquet file"),
    ],
)
def test_what_cannot_be_looked_at_says_why_and_what_to_do_without_a_word_of_it(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        looked(tmp_path / name, content)
    assert words in str(caught.value)
    assert MARKER not in str(caught.value)


def test_a_folder_without_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder with a split train"):
        look(LookRequest(path=str(tmp_path)))
