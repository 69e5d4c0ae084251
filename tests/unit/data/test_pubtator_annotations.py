"""PubTator: what becomes of each annotation. It is in an example, or counted as set aside, or a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.readers import PubtatorReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Text, Tokens, inspect_task, read_split

TITLE, ABSTRACT = "A study of harm.", "Lithium caused kidney failure in mice. Hydrea caused rash in rats."
TEXT = f"{TITLE} {ABSTRACT}"
LITHIUM, FAILURE = ("Lithium", "Chemical"), ("kidney failure", "Disease")
HYDREA, RASH = ("Hydrea", "Chemical"), ("rash", "Disease")
FIRST, SECOND = "@chemical$ caused @disease$ in mice.", "@chemical$ caused @disease$ in rats."


def mention(wording: tuple[str, str], ids: str = "", kind: str | None = None, text: str = TEXT) -> str:
    words, usual = wording
    start = text.index(words)
    return f"1\t{start}\t{start + len(words)}\t{words}\t{kind or usual}" + (f"\t{ids}" if ids else "")


def document(*lines: str, title: str = TITLE, abstract: str = ABSTRACT) -> str:
    return "\n".join([f"1|t|{title}", f"1|a|{abstract}", *lines, ""])


def usual(*lines: str) -> str:
    """All four mentions with ids, and further lines."""
    ids = (LITHIUM, "C1"), (FAILURE, "D1"), (HYDREA, "C2"), (RASH, "D2")
    return document(*(mention(wording, identity) for wording, identity in ids), *lines)


def task(kind: TaskKind, types: tuple[str, ...] = ("Chemical", "Disease"), **more: Any) -> TaskSpec:
    relation = kind is TaskKind.RELATION
    values = {
        "name": "notes",
        "title": "Notes",
        "kind": kind,
        "domain": "clinical",
        "reader": PubtatorReader(
            files={Split.TRAIN: ("train.txt",)}, entity_types=types, relation="CID" if relation else None
        ),
        "labels": ("none", "CID") if relation else None,
        "negative_label": "none" if relation else None,
        "metric": PRIMARY[kind],
    }
    return TaskSpec.model_validate(values | more)


def write(root: Path, content: str) -> Path:
    (root / "train.txt").write_text(content)
    return root


def pairs(root: Path, content: str, faults: Faults | None = None, **more: Any) -> dict[str, str]:
    found = read_split(task(TaskKind.RELATION, **more), Split.TRAIN, write(root, content), faults)
    return {e.text: e.label for e in found if isinstance(e, Text)}


def tagged(root: Path, content: str, faults: Faults | None = None) -> list[str]:
    found = read_split(task(TaskKind.NER), Split.TRAIN, write(root, content), faults)
    return [
        " ".join(f"{w}/{t}" for w, t in zip(e.tokens, e.tags, strict=True))
        for e in found
        if isinstance(e, Tokens)
    ]


def test_of_nested_mentions_the_longest_is_kept_even_where_a_shorter_one_begins_earlier(
    tmp_path: Path,
) -> None:
    text = "Old kidney failure ."
    lines = [
        mention(("Old kidney", "Disease"), text=text),
        mention(("kidney failure .", "Chemical"), text=text),
        mention(("failure", "Disease"), text=text),
    ]
    faults = Faults("error")
    assert tagged(tmp_path, document(*lines, title="Old kidney failure .", abstract=""), faults) == [
        "Old/O kidney/B-Chemical failure/I-Chemical ./I-Chemical"
    ]
    assert faults.set_aside == {"overlapping": 2}


def test_what_tags_cannot_hold_is_counted_and_the_mentions_shown_are_those_of_the_tags(
    tmp_path: Path,
) -> None:
    """Nested, crossing, repeated, and of a type that the task does not ask for."""
    write(
        tmp_path,
        document(
            mention(("Lithium caused kidney", "Disease")),
            mention(LITHIUM, "C1"),
            mention(FAILURE, "D1"),
            mention(RASH, "D2"),
            mention(RASH, "D2"),
            mention(("mice", "Species"), "S1"),
        ),
    )
    found = inspect_task(task(TaskKind.NER), tmp_path)["splits"]["train"]
    assert found["mentions"] == {"Chemical": 0, "Disease": 2}
    assert found["set_aside"] == {"of another type": 1, "overlapping": 2, "repeated": 1}


def test_a_mention_that_the_end_of_a_sentence_cuts_joins_the_two(tmp_path: Path) -> None:
    text = "Cases of St. Louis encephalitis rose."
    line = mention(("St. Louis encephalitis", "Disease"), text=text)
    faults = Faults("error")
    assert tagged(tmp_path, document(line, title=text, abstract=""), faults) == [
        "Cases/O of/O St/B-Disease ./I-Disease Louis/I-Disease encephalitis/I-Disease rose/O ./O"
    ]
    assert not faults.set_aside
    both = mention(("Cases", "Chemical"), "C1", text=text)
    joined = pairs(tmp_path, document(both, f"{line}\tD1", "1\tCID\tC1\tD1", title=text, abstract=""))
    assert joined == {"@chemical$ of @disease$ rose.": "CID"}


@pytest.mark.parametrize(
    ("relation", "fault"),
    [
        ("1\tCID\tMESH:C1\tMESH:D1", "prefix"),
        ("1\tCID\tC1\tMESH:D1", "prefix"),
        ("1\tCID\tC1\tD9", "no mention has"),
        ("1\tCID\tC9\tD1", "no mention has"),
        ("1\tCID\tC1\tD1|D9", "no mention has"),
        ("1\tCID\tC1\t-1", "no mention has"),
        ("1\tCID\tC1\t", "no mention has"),
    ],
)
def test_a_relation_whose_ids_no_mention_has_is_a_fault_of_its_line_and_no_negative(
    tmp_path: Path, relation: str, fault: str
) -> None:
    content = usual("1\tCID\tC2\tD2", relation)
    with pytest.raises(DataError, match=fault) as caught:
        pairs(tmp_path, content)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "train.txt"), 8)
    faults = Faults("skip")
    kept = pairs(tmp_path, content + "\n" + usual("1\tCID\tC2\tD2"), faults)
    assert kept == {FIRST: "none", SECOND: "CID"}  # of the second document alone
    assert (faults.count, faults.set_aside.total(), faults.relations) == (1, 0, 1)


def test_a_ner_task_does_not_ask_for_the_ids_of_relations(tmp_path: Path) -> None:
    assert len(tagged(tmp_path, usual("1\tCID\tC9\tMESH:D9"))) == 3


@pytest.mark.parametrize(
    ("ids", "relation"),
    [
        ("D1", "1\tCID\tC1\tD1 "),
        ("D1", "1\t CID\tC1\u00a0\tD1"),
        ("D1 ", "1\tCID\tC1\tD1"),
        ("d1", "1\tCID\tc1\tD1"),
        ("D\u200b1", "1\tCID\tC1\tD1"),
        ("17", "1\tCID\tC1\t17.0"),
        ("D7|D1", "1\tCID\tC1\tD1"),
        ("D7;D1", "1\tCID\tC1\tD1"),
        ("D7, D1", "1\tCID\tC1\tD1"),
        ("D7|D1", "1\tCID\tC1\tD7|D1"),
        ("D7;D1", "1\tCID\tC1\tD1,D7"),
        ("p|SUB|V|600|E", "1\tCID\tC1\tp|SUB|V|600|E"),
        ("D1", "1\tCID\tC1\tD1\tNovel"),
        ("D1", "1\tCID\tC1\tD1\tNo"),
        ("D1", "1\tCID\tD1\tC1\t"),
    ],
)
def test_ids_match_whatever_separates_them_and_whatever_their_case(
    tmp_path: Path, ids: str, relation: str
) -> None:
    content = document(mention(LITHIUM, "C1"), mention(FAILURE, ids), mention(HYDREA, "C2"), relation)
    faults = Faults("error")
    assert pairs(tmp_path, content, faults) == {FIRST.replace(" rats", " mice"): "CID"}
    assert (faults.relations, faults.set_aside) == (1, {})


def test_an_id_that_holds_separators_is_one_id(tmp_path: Path) -> None:
    """600 is the id of a gene as well as a place in the protein."""
    content = document(
        mention(LITHIUM, "C1"), mention(FAILURE, "p|SUB|V|600|E"), mention(RASH, "600"), "1\tCID\tC1\t600"
    )
    assert pairs(tmp_path, content) == {FIRST: "none"}


def test_two_ids_that_differ_in_case_alone_are_no_certain_match(tmp_path: Path) -> None:
    content = document(
        mention(LITHIUM, "C1"), mention(FAILURE, "D1"), mention(RASH, "d1"), mention(HYDREA, "C2")
    )
    assert pairs(tmp_path, content + "1\tCID\tC1\tC2\n") == {
        FIRST: "none",
        SECOND: "none",
    }
    with pytest.raises(DataError, match="upper and in lower case") as caught:
        pairs(tmp_path, content + "1\tCID\tC1\tD1\n")
    assert caught.value.line == 7


def test_every_relation_labels_a_pair_or_is_counted(tmp_path: Path) -> None:
    content = usual(
        mention(("mice", "Species"), "S1"),
        "1\tCID\tC1\tD1",
        "1\tCID\tD1\tC1",
        "1\tCID\tC1\tD2",
        "1\tCID\tC2\tS1",
        "1\tTREATS\tC2\tD2",
    )
    write(tmp_path, content)
    found = inspect_task(task(TaskKind.RELATION), tmp_path)["splits"]["train"]
    assert (found["examples"], found["labels"], found["relations"]) == (2, {"CID": 1, "none": 1}, 1)
    assert found["set_aside"] == {
        "relations between other types": 1,
        "relations in different sentences": 1,
        "relations of another type": 1,
        "repeated relations": 1,
    }
    assert "mentions" not in found


def test_a_mention_without_an_id_is_in_no_pair_and_counted(tmp_path: Path) -> None:
    content = usual(mention(("mice", "Disease")), mention(("rats", "Disease"), "-1"), "1\tCID\tC1\tD1")
    faults = Faults("error")
    assert pairs(tmp_path, content, faults) == {FIRST: "CID", SECOND: "none"}
    assert faults.set_aside == {"without an id": 2}


def test_a_mention_annotated_twice_is_one_with_the_ids_of_both(tmp_path: Path) -> None:
    content = document(
        mention(LITHIUM, "C1"),
        mention(FAILURE),
        mention(FAILURE, "D8"),
        mention(FAILURE, "D1"),
        "1\tCID\tC1\tD1",
    )
    faults = Faults("error")
    assert pairs(tmp_path, content, faults) == {FIRST: "CID"}
    assert faults.set_aside == {"repeated": 2}


def test_a_relation_between_two_mentions_of_one_type_gives_each_pair_once(tmp_path: Path) -> None:
    spec = task(TaskKind.RELATION, types=("Chemical", "Chemical"))
    write(tmp_path, document(mention(LITHIUM, "C1"), mention(FAILURE, "C3", "Chemical"), "1\tCID\tC3\tC1"))
    [pair] = read_split(spec, Split.TRAIN, tmp_path)
    assert isinstance(pair, Text)
    assert (pair.text, pair.label) == ("@chemical$ caused @chemical$ in mice.", "CID")


@pytest.mark.parametrize("field", ["0.9", "D3", "yes"])
def test_a_fifth_field_of_another_kind_is_called_what_it_is(tmp_path: Path, field: str) -> None:
    with pytest.raises(DataError, match="neither a mention nor a relation") as caught:
        pairs(tmp_path, usual(f"1\tCID\tC1\tD1\t{field}"))
    assert caught.value.line == 7
    assert "Novel or No" in str(caught.value)


def test_a_mention_of_white_space_alone_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no word") as caught:
        tagged(tmp_path, document("1\t7\t8\t \tDisease\tD1"))
    assert caught.value.line == 3
