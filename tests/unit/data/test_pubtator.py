"""PubTator files as ner and relation tasks, read through the door that the worker uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.readers import PubtatorReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Text, Tokens, inspect_task, read_split

MARKER = "Zzpatientword"
TITLE, ABSTRACT = "Ab-x helps.", "Mild ache after ab and de. He has pain, not de!"
TEXT = f"{TITLE} {ABSTRACT}"


def task(kind: TaskKind, types: tuple[str, ...] = ("Drug", "Problem")) -> TaskSpec:
    relation = kind is TaskKind.RELATION
    return TaskSpec(
        name="notes",
        title="Notes",
        kind=kind,
        domain="clinical",
        reader=PubtatorReader(
            files={Split.TRAIN: ("train.txt",)}, entity_types=types, relation="CAUSES" if relation else None
        ),
        negative_label="none" if relation else None,
        metric=PRIMARY[kind],
    )


def mention(words: str, kind: str, ids: str, after: int = 0, extra: str = "") -> str:
    start = TEXT.index(words, after)
    return f"7\t{start}\t{start + len(words)}\t{words}\t{kind}\t{ids}{extra}\n"


def document(*lines: str) -> str:
    return f"7|t|{TITLE}\n7|a|{ABSTRACT}\n" + "".join(lines)


def write(root: Path, content: str | bytes) -> None:
    (root / "train.txt").write_bytes(content if isinstance(content, bytes) else content.encode())


def tagged(root: Path, content: str) -> list[str]:
    write(root, content)
    found = read_split(task(TaskKind.NER), Split.TRAIN, root)
    return [
        " ".join(f"{w}/{t}" for w, t in zip(e.tokens, e.tags, strict=True))
        for e in found
        if isinstance(e, Tokens)
    ]


def pairs(root: Path, content: str) -> list[tuple[str, str]]:
    write(root, content)
    found = read_split(task(TaskKind.RELATION), Split.TRAIN, root)
    return [(e.text, e.label) for e in found if isinstance(e, Text)]


def test_sentences_and_words_are_cut_before_the_mentions_are_laid_on(tmp_path: Path) -> None:
    content = document(
        mention("Mild ache", "Problem", "P1"), mention("Ab", "Drug", "D1"), mention("ai", "Problem", "-1")
    )
    assert tagged(tmp_path, content) == [
        "Ab/B-Drug -/O x/O helps/O ./O",
        "Mild/B-Problem ache/I-Problem after/O ab/O and/O de/O ./O",
        "He/O has/O pain/B-Problem ,/O not/O de/O !/O",
    ]


def test_overlapping_and_foreign_mentions_leave_valid_tags(tmp_path: Path) -> None:
    content = document(
        mention("ache", "Problem", "P1"), mention("Mild ache", "Problem", "P2"), mention("ab", "Place", "L1")
    )
    assert tagged(tmp_path, content)[1] == "Mild/B-Problem ache/I-Problem after/O ab/O and/O de/O ./O"


def test_a_mention_over_two_sentences_joins_them_and_stays_whole(tmp_path: Path) -> None:
    assert tagged(tmp_path, document(mention("de. He", "Drug", "D1")))[1:] == [
        "Mild/O ache/O after/O ab/O and/O de/B-Drug ./I-Drug He/I-Drug has/O pain/O ,/O not/O de/O !/O",
    ]


def test_a_mention_over_three_sentences_joins_all_of_them(tmp_path: Path) -> None:
    content = document(mention(TEXT[TEXT.index("helps") : TEXT.index(" has")], "Problem", "P1"))
    [sentence] = tagged(tmp_path, content)
    assert sentence.count("I-Problem") == 9


def test_every_pair_in_a_sentence_is_one_masked_example(tmp_path: Path) -> None:
    content = document(
        mention("Mild ache", "Problem", "P1"),
        mention("ab", "Drug", "D1"),
        mention("de", "Drug", "D2|D3", extra="\ta|b"),
        mention("pain", "Problem", "P2"),
        mention("de", "Drug", "-1", after=TEXT.index("not")),
        "7\tCAUSES\tD3\tP1\n7\tOTHER\tD1\tP1\n7\tCAUSES\tD2\tP2\n",
    )
    assert pairs(tmp_path, content) == [
        ("@problem$ after @drug$ and de.", "none"),
        ("@problem$ after ab and @drug$.", "CAUSES"),
    ]


def test_the_order_of_ids_in_a_relation_line_does_not_matter(tmp_path: Path) -> None:
    both = mention("pain", "Problem", "P2") + mention("de", "Drug", "D2", after=TEXT.index("not"))
    masked = "He has @problem$, not @drug$!"
    assert pairs(tmp_path, document(both, "7\tCAUSES\tP2\tD2\n")) == [(masked, "CAUSES")]


def test_mentions_that_overlap_share_one_mask(tmp_path: Path) -> None:
    content = document(mention("Mild ache after ab", "Problem", "P1"), mention("ab", "Drug", "D1"))
    assert pairs(tmp_path, content) == [("@drug-problem$ and de.", "none")]


def test_a_summary_counts_documents_mentions_and_relations(tmp_path: Path) -> None:
    first = document(
        mention("ab", "Drug", "D1"), mention("Mild ache", "Problem", "P1"), "7\tCAUSES\tD1\tP1\n"
    )
    write(tmp_path, first + "\n\n" + document().replace("7|", "8|"))
    found = inspect_task(task(TaskKind.NER), tmp_path)["splits"]["train"]
    assert (found["documents"], found["examples"], found["mentions"]) == (2, 6, {"Drug": 1, "Problem": 1})
    assert "relations" not in found


def test_documents_are_told_apart_without_their_ids(tmp_path: Path) -> None:
    write(tmp_path, document().replace("7|", f"{MARKER}|") + "\n" + document())
    found = read_split(task(TaskKind.NER), Split.TRAIN, tmp_path)
    assert [e.document for e in found] == ["train.txt#1"] * 3 + ["train.txt#2"] * 3


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        (f"7|a|{MARKER}\n", 1, "begin"),
        (f"7|t|{MARKER}\n", 1, "begin"),
        (f"7|t|{MARKER}\n\n7|a|b\n", 1, "begin"),
        (f"7|t|a\n{MARKER}|a|b\n7\tX\tD\tP\n", 3, "another document id"),
        (document() + f"{MARKER}\tX\tD\tP\n", 3, "another document id"),
        (document() + f"7\t0\t{MARKER}\n", 3, "3 tab-separated fields"),
        (document() + f"7\t0\t2\tAb\tDrug\tD1\t{MARKER}\t\n", 3, "8 tab-separated fields"),
        (document() + f"7\t0\t{MARKER}\tAb\tDrug\tD1\n", 3, "offset"),
        (document() + f"7\t0\t2\t{MARKER}\tDrug\tD1\n", 3, "is not at its offsets"),
        (document() + "7\t2\t1\t\tDrug\tD1\n", 3, "is not at its offsets"),
        (document() + f"7\t0\t999999\t{MARKER}\tDrug\tD1\n", 3, "is not at its offsets"),
        (document() + "7\t0\t2\tAb\t \tD1\n", 3, "type"),
        (document().encode() + f"{MARKER}\xff".encode("latin-1"), 3, "UTF-8"),
        ("", None, "no example"),
    ],
)
def test_a_fault_names_file_and_line_and_never_the_text(
    tmp_path: Path, content: str | bytes, line: int | None, fault: str
) -> None:
    write(tmp_path, content)
    with pytest.raises(DataError, match=fault) as caught:
        read_split(task(TaskKind.NER), Split.TRAIN, tmp_path)
    assert caught.value.line == line
    assert str(tmp_path / "train.txt") in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value!r} {caught.value.__context__!r}"


@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            ["7|t|", "7|a|", "7\t", "0\t", "2\t", "4\t", "Ab", "De. ", "\t", "Drug", "Problem", "D1", "\n"]
        ),
        max_size=30,
    ).map(lambda parts: "".join(parts).encode())
)
@example(b"7|t|\n7|a|\n")
@example(b"7|t|Ab De\n7|a|\n7\t0\t2\tAb\tDrug\tD\n7\t3\t5\tDe\tProblem\tP\n7\t0\t5\tAb De\tProblem\tQ\n")
def test_any_bytes_give_examples_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("any")
    write(root, content)
    for kind in (TaskKind.NER, TaskKind.RELATION):
        try:
            examples = read_split(task(kind), Split.TRAIN, root)
        except DataError:
            continue
        assert all(
            len(e.tokens) == len(e.tags) > 0 if isinstance(e, Tokens) else "@" in e.text for e in examples
        )


def test_a_mention_without_its_type_is_no_relation(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 tab-separated fields") as caught:
        pairs(tmp_path, document(f"7\t0\t5\t{MARKER}\n"))
    assert caught.value.line == 3
    assert MARKER not in str(caught.value)


def test_a_sentence_with_absurdly_many_mentions_is_a_fault(tmp_path: Path) -> None:
    """Its pairs would be as many as the square of them, each with the whole sentence."""
    words = " ".join(["ab de"] * 101)
    mentions = "".join(
        f"7\t{place}\t{place + 2}\t{words[place : place + 2]}\t{kind}\tI\n"
        for start in range(0, len(words), 6)
        for place, kind in ((start, "Drug"), (start + 3, "Problem"))
    )
    content = f"7|t|{words}\n7|a|\n{mentions}"
    with pytest.raises(DataError, match="more than 200 mentions") as caught:
        pairs(tmp_path, content)
    assert str(tmp_path / "train.txt") in str(caught.value)
    faults = Faults("skip")
    write(tmp_path, content + "\n" + document(mention("ab", "Drug", "D"), mention("ache", "Problem", "P")))
    assert len(read_split(task(TaskKind.RELATION), Split.TRAIN, tmp_path, faults)) == 1
    assert faults.count == 1
