"""CoNLL files, read through the door that the worker uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import ConllReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Tokens, cap_rows, label_set, read_split
from workers.data.faults import Faults
from workers.data.readers.conll import read_conll

MARKER = "Zzpatientword"


def task(labels: tuple[str, ...] | None = None, **reader: object) -> TaskSpec:
    return TaskSpec(
        name="notes",
        title="Notes",
        kind=TaskKind.NER,
        domain="clinical",
        reader=ConllReader.model_validate({"files": {"train": ("train.tsv",)}} | reader),
        labels=labels,
        metric=MetricName.ENTITY_F1,
    )


def read(root: Path, content: str | bytes, spec: TaskSpec | None = None) -> list[tuple[str, str]]:
    """Each sentence as its words and its tags, joined by spaces."""
    raw = content if isinstance(content, bytes) else content.encode()
    (root / "train.tsv").write_bytes(raw)
    found = read_split(spec or task(), Split.TRAIN, root)
    return [(" ".join(e.tokens), " ".join(e.tags)) for e in found if isinstance(e, Tokens)]


@pytest.mark.parametrize(
    "content",
    [
        "a\tB-x\nb\tI-x\n\nc\tO\n",
        "a\tB-x\nb\tI-x\n\nc\tO",
        "\n\n\na\tB-x\nb\tI-x\n\n \n\t\n\nc\tO\n\n\n",
        "a\tB-x\r\nb\tI-x\r\n\r\nc\tO\r\n",
        "\ufeffa\tB-x\nb\tI-x\n\nc\tO\n",
    ],
    ids=["plain", "no-final-newline", "runs-of-blank-lines", "crlf", "byte-order-mark"],
)
def test_every_way_to_end_lines_gives_the_same_two_sentences(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [("a b", "B-x I-x"), ("c", "O")]


def test_characters_that_look_like_line_breaks_stay_inside_a_token(tmp_path: Path) -> None:
    assert read(tmp_path, "a\u2028b\tO\nc\x85\tO\n") == [("a\u2028b c\x85", "O O")]


def test_columns_may_be_chosen_and_parted_by_spaces(tmp_path: Path) -> None:
    spec = task(separator="space", token_column=1, tag_column=2)
    assert read(tmp_path, "1 a  B-x z\n2 b I-x z\n", spec) == [("a b", "B-x I-x")]


@pytest.mark.parametrize("blank", ["\u00a0", "\u2009", "\u3000", "\x0c", "\x1f"])
@pytest.mark.parametrize("separator", ["tab", "space"])
def test_other_white_space_is_part_of_its_token(tmp_path: Path, separator: str, blank: str) -> None:
    content = f"10{blank}mg B-Dose\n{blank}daily I-Dose\n"
    if separator == "tab":
        content = content.replace(" ", "\t")
    assert read(tmp_path, content, task(separator=separator)) == [
        (f"10{blank}mg {blank}daily", "B-Dose I-Dose")
    ]


@pytest.mark.parametrize("comment", ["# sent_id = 4", "#text=a b", "# 5 % \u00a0 of (it)", "# "])
@pytest.mark.parametrize("separator", ["tab", "space"])
def test_comment_lines_are_no_tokens(tmp_path: Path, separator: str, comment: str) -> None:
    content = f"{comment}\n\n{comment}\n{comment}\na B-x\n# O\n\n{comment}\nb O\n"
    if separator == "tab":
        content = content.replace("B-x\n", f"B-x\n{comment}\n").replace("a B", "a\tB")
        content = content.replace("b O", "b\tO").replace("# O", "#\tO")
    assert read(tmp_path, content, task(separator=separator)) == [("a #", "B-x O"), ("b", "O")]


@pytest.mark.parametrize("line", ["#", "#tag", "# O", "# B-x"])
def test_a_token_that_lost_its_tab_is_no_comment(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match="1 tab-separated columns, where the first token has 2") as caught:
        read(tmp_path, f"a\tO\n{line}\n")
    assert caught.value.line == 2
    assert "remove comment lines" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    ["a\tB-x\t\nb\tI-x\t\n", "a\tB-x\nb\tI-x\t\n", "a\tB-x\t\t\nb\tI-x\n", "a\tB-x\t \nb\tI-x\t\t\n"],
)
def test_tabs_at_the_end_of_lines_are_no_columns(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [("a b", "B-x I-x")]


def test_a_last_column_that_is_sometimes_empty_is_a_column(tmp_path: Path) -> None:
    for content in ("a\tB-x\t\nb\tI-x\tnote\n", "a\tB-x\tnote\nb\tI-x\t\n"):
        assert read(tmp_path, content, task(tag_column=1)) == [("a b", "B-x I-x")]
    with pytest.raises(DataError, match="not O, B-type or I-type") as caught:
        read(tmp_path, "a\tNN\tB-x\nb\tNN\t\n")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        (f"{MARKER}\tO\n{MARKER}\tO\tO\n", 2, "columns"),
        (f"{MARKER} O\n", 1, "columns"),
        (f"a\tO\n\nb\t{MARKER}\n", 3, "tag"),
        (f"{MARKER}\tB-\n", 1, "tag"),
        (f"{MARKER}\tI-x\n", 1, "continues"),
        (f"a\tB-x\n{MARKER}\tI-y\n", 2, "continues"),
        (f"{MARKER}\tB-x\n\n{MARKER}\tI-x\n", 3, "continues"),
        (f"{MARKER}\tB-x\n\tO\n", 2, "empty"),
        (f"{MARKER}\tO\n\xff".encode("latin-1"), 2, "UTF-8"),
        ("\n \n", None, "no example"),
        ("", None, "no example"),
    ],
)
def test_a_fault_names_file_and_line_and_never_the_text(
    tmp_path: Path, content: str | bytes, line: int | None, fault: str
) -> None:
    with pytest.raises(DataError, match=fault) as caught:
        read(tmp_path, content)
    assert caught.value.line == line
    assert str(tmp_path / "train.tsv") in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value!r} {caught.value.__context__!r}"


def test_a_type_outside_the_declared_ones_is_a_fault_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, f"a\tB-x\nb\tB-{MARKER}\n", task(labels=("x",)))
    assert caught.value.line == 2
    assert MARKER not in str(caught.value)


def test_a_missing_file_and_a_directory_are_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_split(task(), Split.TRAIN, tmp_path)
    (tmp_path / "train.tsv").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_split(task(), Split.TRAIN, tmp_path)


def test_labels_are_in_the_same_order_whatever_the_data(tmp_path: Path) -> None:
    read(tmp_path, "a\tB-y\nb\tB-x\n" * 2)
    examples = read_split(task(), Split.TRAIN, tmp_path)
    assert label_set(task(), examples) == ("O", "B-x", "I-x", "B-y", "I-y")
    assert label_set(task(labels=("z", "y", "x")), examples)[-2:] == ("B-z", "I-z")


def test_a_train_part_without_a_mention_teaches_nothing(tmp_path: Path) -> None:
    read(tmp_path, "a\tO\n")
    with pytest.raises(DataError, match="no mention"):
        label_set(task(), read_split(task(), Split.TRAIN, tmp_path))


@given(st.binary(max_size=200) | st.text(alphabet="aB-xIO\t \r\n", max_size=80).map(str.encode))
@example(b"a\tO\n\x00")
def test_any_bytes_give_examples_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "train.tsv"
    path.write_bytes(content)
    for reader in (task().reader, task(separator="space").reader):
        assert isinstance(reader, ConllReader)
        try:
            examples = [*read_conll(path, "train.tsv", reader, None, Faults("error"), lambda *_: True)]
        except DataError:
            continue
        assert all(len(e.tokens) == len(e.tags) > 0 for e in examples)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_smaller_cap_is_part_of_a_larger(first: int, second: int) -> None:
    examples = [Tokens((str(i),), ("O",), str(i)) for i in range(50)]
    small, large = (cap_rows(examples, rows) for rows in sorted((first, second)))
    assert len(small) == min(first, second, 50)
    assert set(small) <= set(large)
    assert small == [e for e in examples if e in set(small)]


def test_line_breaks_of_another_kind_are_told_and_not_read_past(tmp_path: Path) -> None:
    """The file is one line then, of which the first word and the last tag would be read."""
    with pytest.raises(DataError, match="carriage returns"):
        read(tmp_path, "a\tO\rb\tB-x\rc\tO\r")
