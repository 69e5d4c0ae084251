"""Two spellings of one id, text or word are one document for every reader: they share a split."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.sameness import id_key, label_key, text_key, texts_key, visible, words_key
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import Example, read_split

SHARES = {"dev": 0.3, "test": 0.3}
NUMBERS = range(60)
# Each writes one id or text another way, that the eye or the eye of pandas takes for the same.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "decomposed": lambda s: unicodedata.normalize("NFD", s),
    "zero-width space": lambda s: s + "\u200b",
    "zero-width non-joiner": lambda s: s[:1] + "\u200c" + s[1:],
    "zero-width joiner": lambda s: s[:1] + "\u200d" + s[1:],
    "soft hyphen": lambda s: s[:2] + "\u00ad" + s[2:],
    "word joiner": lambda s: "\u2060" + s,
    "byte order mark": lambda s: "\ufeff" + s,
    "mark of direction": lambda s: s + "\u200e",
    "variation selector": lambda s: s + "\ufe0f",
}
BLANKS: dict[str, Callable[[str], str]] = {
    "no-break space": lambda s: s.replace(" ", "\u00a0"),
    "run of blanks": lambda s: s.replace(" ", "  \t "),
    "narrow no-break space": lambda s: s.replace(" ", " \u202f"),
    "blank behind": lambda s: s + " ",
    "line end": lambda s: s.replace(" ", "\n"),
}


def task(kind: TaskKind, reader: dict[str, Any]) -> TaskSpec:
    values = {"name": "t", "title": "T", "kind": kind, "domain": "clinical", "metric": PRIMARY[kind]}
    held_out = {"files": {"train": ["all"]}, "hold_out": SHARES}
    return TaskSpec.model_validate(values | {"reader": held_out | reader})


def splits_by(root: Path, spec: TaskSpec, key: Callable[[Any], str]) -> dict[str, list[Split]]:
    """The splits of each example, by what `key` says that it is one of."""
    found: dict[str, list[Split]] = {}
    for split in Split:
        for example in read_split(spec, split, root):
            found.setdefault(key(example), []).append(split)
    return found


def assert_together(where: dict[str, list[Split]], copies: int = 2) -> None:
    assert len(where) == len(NUMBERS)
    assert {len(splits) for splits in where.values()} == {copies}
    assert all(len(set(splits)) == 1 for splits in where.values())
    assert len({splits[0] for splits in where.values()}) == 3


def number_of(example: Example) -> str:
    text = " ".join(example.tokens) if hasattr(example, "tokens") else example.text
    return "".join(c for c in text if c.isdigit())


def words(number: int) -> str:
    return f"fièvre chez n{number}"


def write_rows(root: Path, form: str, rows: list[dict[str, Any]]) -> None:
    if form == "jsonl":
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        quoted = ('","'.join(map(str, row.values())) for row in rows)
        content = ",".join(rows[0]) + "\n" + "".join(f'"{row}"\n' for row in quoted)
    (root / "all").write_text(content, encoding="utf-8", newline="")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("spelling", SPELLINGS | BLANKS)
@pytest.mark.parametrize("column", ["id", "text"])
def test_rows_of_an_id_or_of_a_text_in_two_spellings_share_a_split(
    tmp_path: Path, form: str, spelling: str, column: str
) -> None:
    respell = (SPELLINGS | BLANKS)[spelling]
    rows = []
    for n in NUMBERS:
        plain = {"id": f"é {n}", "text": words(n), "label": "yn"[n % 2]}
        if column == "id":
            rows += [plain | {"text": f"one {n}"}, plain | {"text": f"two {n}", "id": respell(plain["id"])}]
        else:
            rows += [plain, plain | {"text": respell(plain["text"])}]
    write_rows(tmp_path, form, rows)
    reader = {"format": form, "text": "text", "label": "label"} | ({"id": "id"} if column == "id" else {})
    assert_together(splits_by(tmp_path, task(TaskKind.CLASSIFICATION, reader), number_of))


@pytest.mark.parametrize(
    ("form", "first", "second"),
    [
        ("csv", "{}", "{}.0"),
        ("csv", "{}", "{}.00 "),
        ("csv", "-{}", "-{}.0"),
        ("jsonl", 17, 17.0),
        ("jsonl", 17, "17"),
        ("jsonl", "17.0", 17),
    ],
)
def test_whole_numbers_with_and_without_decimals_are_one_id(
    tmp_path: Path, form: str, first: Any, second: Any
) -> None:
    def spelt(pattern: Any, number: int) -> Any:
        if form == "csv":
            return pattern.format(number)
        return f"{number}{pattern[2:]}" if isinstance(pattern, str) else type(pattern)(number)

    rows = [
        {"id": spelt(pattern, n), "text": f"row of {n}", "label": "yn"[n % 2]}
        for n in NUMBERS
        for pattern in (first, second)
    ]
    write_rows(tmp_path, form, rows)
    reader = {"format": form, "text": "text", "label": "label", "id": "id"}
    assert_together(splits_by(tmp_path, task(TaskKind.CLASSIFICATION, reader), number_of))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_sentences_of_conll_in_two_spellings_share_a_split(tmp_path: Path, spelling: str) -> None:
    def block(text: str) -> str:
        return "".join(f"{word}\tO\n" for word in text.split(" ")) + "end\tB-X\n\n"

    texts = [words(n) for n in NUMBERS]
    content = "".join(block(text) + block(SPELLINGS[spelling](text)) for text in texts)
    (tmp_path / "all").write_text(content, encoding="utf-8")
    assert_together(splits_by(tmp_path, task(TaskKind.NER, {"format": "conll"}), number_of))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_documents_of_pubtator_with_an_id_in_two_spellings_share_a_split(
    tmp_path: Path, spelling: str
) -> None:
    def block(name: str, n: int) -> str:
        return f"{name}|t|Title {n}\n{name}|a|aspirin\n\n"

    names = [(f"doc-é{n}", n) for n in NUMBERS]
    content = "".join(block(name, n) + block(SPELLINGS[spelling](name), n) for name, n in names)
    (tmp_path / "all").write_text(content, encoding="utf-8")
    spec = task(TaskKind.NER, {"format": "pubtator", "entity_types": ["Drug"]})
    assert_together(splits_by(tmp_path, spec, number_of))


@pytest.mark.parametrize("spelling", ["decomposed", "zero-width space", "soft hyphen"])
def test_i2b2_files_of_a_patient_in_two_spellings_share_a_split(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "all").mkdir()
    for n in NUMBERS:
        for visit, name in enumerate((f"pé{n}", SPELLINGS[spelling](f"pé{n}"))):
            text = f"<R><TEXT>Visit of {n} .</TEXT><TAGS/></R>"
            (tmp_path / "all" / f"{name}-{visit}.xml").write_text(text)
    reader = {"format": "i2b2-xml", "attribute": "type", "patient_before": "-"}
    assert_together(splits_by(tmp_path, task(TaskKind.NER, reader), number_of))


@pytest.mark.parametrize("spelling", SPELLINGS | BLANKS)
def test_rows_of_an_arrow_folder_in_two_spellings_share_a_split(tmp_path: Path, spelling: str) -> None:
    texts = [text for n in NUMBERS for text in (words(n), (SPELLINGS | BLANKS)[spelling](words(n)))]
    table = pyarrow.table({"text": texts, "label": ["yn"[n // 2 % 2] for n in range(len(texts))]})
    folder = tmp_path / "all"
    folder.mkdir()
    with (
        pyarrow.OSFile(str(folder / "data.arrow"), "wb") as sink,
        pyarrow.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    assert_together(splits_by(tmp_path, task(TaskKind.CLASSIFICATION, {"format": "arrow"}), number_of))


def test_ordinary_ids_and_texts_keep_the_keys_that_part_them_since_the_first_version() -> None:
    # Pinned: other keys would give every held-out split other rows, and every score another meaning.
    assert id_key("record-105") == "record-105"
    assert id_key(17) == "17"
    assert id_key(" 0017 ") == "0017"
    assert texts_key(["A fièvre.", "Two"]) == json.dumps(["A fièvre.", "Two"])
    assert texts_key([["a", "b"]]) == '[["a", "b"]]'
    assert words_key([["a", "b"], ["c"]]) == "a b\nc"


def test_what_the_eye_tells_apart_stays_apart() -> None:
    assert len({label_key(label) for label in ("yes", "Yes", "ja", "1", "01", "1.5", "10", "é", "e")}) == 9
    assert id_key("17.5") != id_key("17")
    assert id_key("p 1") != id_key("p1")


@given(st.text())
def test_a_key_is_its_own_key_and_holds_no_run_of_blanks(text: str) -> None:
    key = text_key(text)
    assert text_key(key) == key
    assert key.split() == key.split(" ") or not key
    assert text_key(unicodedata.normalize("NFD", text)) == key


def test_a_label_is_shown_with_everything_that_cannot_be_seen() -> None:
    assert visible("toux\u200b") == r"'toux\u200b'"
    assert (visible("fièvre"), visible("fie\u0300vre")) == ("'fièvre'", r"'fie\u0300vre'")
    assert (visible("\u212b"), visible("a\u00a0b"), visible("a\tb")) == (
        r"'\u212b'",
        r"'a\xa0b'",
        r"'a\tb'",
    )
