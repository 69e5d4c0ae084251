"""What splits share, what is cut and what a metric lacks, as `frontier task inspect` counts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from split_tasks import TABLE, rows, table, write_task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import DataError

PLAIN, SAME = "Caf\u00e9 visit, mild pain", "Cafe\u0301  visit,\u200b mild pain"  # one text, two spellings


def counted(words: list[str]) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exception is None, done.exception
    return {split: found["counts"] for split, found in json.loads(done.stdout)["splits"].items()}


def shared(words: list[str], what: str = "") -> dict[str, tuple[int | None, int | None]]:
    found = counted(words)
    return {s: (c[f"{what}also_in_train"], c[f"{what}also_in_dev"]) for s, c in found.items()}


def conll(*sentences: str) -> str:
    return "\n\n".join(
        "\n".join(f"{word}\t{'B-sign' if word == 'pain' else 'O'}" for word in sentence.split())
        for sentence in sentences
    )


def jsonl(*found: Mapping[str, str]) -> str:
    return "".join(json.dumps(row) + "\n" for row in found)


def pubtator(*documents: tuple[str, str]) -> str:
    """Documents of an id and the first word of a sentence on one drug and one complaint."""
    return "\n".join(
        f"{name}|t|{word} aspirin for pain.\n{name}|a|\n"
        f"{name}\t{len(word) + 1}\t{len(word) + 8}\taspirin\tDrug\tD1\n"
        f"{name}\t{len(word) + 13}\t{len(word) + 17}\tpain\tSign\tS1\n"
        + (f"{name}\tCID\tD1\tS1\n" if word == "Give" else "")
        for name, word in documents
    )


def record(word: str) -> str:
    tag = f'<E start="{len(word) + 1}" end="{len(word) + 5}" text="pain" type="sign"/>'
    return f"<R><TEXT>{word} pain</TEXT><TAGS>{tag}</TAGS></R>"


def test_rows_of_test_that_are_in_train_are_shown(tmp_path: Path) -> None:
    train, test = rows("train", 12), rows("test", 6)
    files = {"train.csv": table(*train), "dev.csv": table(*rows("dev")), "test.csv": table(*train[:6], *test)}
    words = write_task(tmp_path, files, TABLE)
    assert shared(words) == {"train": (None, None), "dev": (0, None), "test": (6, 0)}
    shown = CliRunner().invoke(app, words).stdout
    assert "also in train 0 6" in " ".join(shown.split())
    assert "6 of 12 test texts are also in train." in shown


def test_a_text_is_the_same_in_another_unicode_form_and_with_other_blanks(tmp_path: Path) -> None:
    files = {
        "train.csv": table((PLAIN, "yes"), *rows("train")),
        "dev.csv": table((SAME, "no"), *rows("dev")),
        "test.csv": table(*rows("test"), (SAME, "yes"), (PLAIN, "yes")),
    }
    assert shared(write_task(tmp_path, files, TABLE)) == {
        "train": (None, None),
        "dev": (1, None),
        "test": (2, 2),
    }


def test_sentences_of_conll_are_compared_by_their_words(tmp_path: Path) -> None:
    files = {
        "train.tsv": conll("mild pain today", "no pain", "severe pain"),
        "dev.tsv": conll("mild pain", "no\u200b pain"),
        "test.tsv": conll("no pain", "mild pain today", "pain"),
    }
    words = write_task(tmp_path, files, {"format": "conll"}, "ner", labels=["sign"])
    assert shared(words) == {"train": (None, None), "dev": (1, None), "test": (2, 1)}


def test_pairs_of_texts_are_the_same_where_both_are(tmp_path: Path) -> None:
    def pair(first: str, second: str, label: str) -> dict[str, str]:
        return {"note": first, "other": second, "label": label}

    both = [pair("a b", "c", "yes"), pair("a", "b c", "no")]
    files = {
        "train.jsonl": jsonl(*both, pair("d", "e", "yes"), pair("f", "g", "no")),
        "dev.jsonl": jsonl(pair("a b", "x", "yes"), pair("x", "c", "no")),
        "test.jsonl": jsonl(pair("a  b", "c ", "no"), pair("a", "bc", "yes")),
    }
    reader = {"format": "jsonl", "text": "note", "second_text": "other", "label": "label"}
    assert shared(write_task(tmp_path, files, reader)) == {
        "train": (None, None), "dev": (0, None), "test": (1, 0)
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["ner", "relation"])
def test_documents_of_pubtator_are_compared_by_text_and_by_id(tmp_path: Path, kind: str) -> None:
    files = {
        "train.txt": pubtator(("1", "Give"), ("2", "Stop"), ("3", "Take")),
        "dev.txt": pubtator(("2", "Give"), ("4", "Use")),
        "test.txt": pubtator(("5", "Give"), ("6", "Stop"), ("7", "Keep")),
    }
    reader = {"format": "pubtator", "entity_types": ["Drug", "Sign"]}
    keys = {} if kind == "ner" else {"negative_label": "none", "labels": ["none", "CID"]}
    words = write_task(tmp_path, files, reader | ({} if kind == "ner" else {"relation": "CID"}), kind, **keys)
    assert shared(words) == {"train": (None, None), "dev": (1, None), "test": (2, 1)}
    assert shared(words, "ids_") == {"train": (None, None), "dev": (1, None), "test": (0, 0)}
    assert "1 of 2 ids in the files of dev is also in those of train" in CliRunner().invoke(app, words).stdout


def test_patients_of_i2b2_are_compared_by_id(tmp_path: Path) -> None:
    files = {"train/1-01.xml": record("mild"), "dev/1-02.xml": record("no"), "test/2-01.xml": record("mild")}
    files["test/2-02.xml"] = record("severe")
    reader = {"format": "i2b2-xml", "attribute": "type", "patient_before": "-"}
    reader |= {"files": {split: [split] for split in ("train", "dev", "test")}}
    words = write_task(tmp_path, files, reader, "ner", labels=["sign"])
    assert shared(words) == {"train": (None, None), "dev": (0, None), "test": (1, 0)}
    assert shared(words, "ids_") == {"train": (None, None), "dev": (1, None), "test": (0, 0)}


def test_ids_of_a_table_are_compared_and_hold_out_shares_none(tmp_path: Path) -> None:
    lines = [{"id": f"{n // 2}", "note": f"note {n}", "label": ("no", "yes")[n % 2]} for n in range(60)]
    files = {
        "train.jsonl": jsonl(*lines),
        "test.jsonl": jsonl(*({**line, "note": "x"} for line in lines[:4])),
    }
    reader = {"format": "jsonl", "text": "note", "label": "label", "id": "id", "hold_out": {"dev": 0.3}}
    found = counted(write_task(tmp_path, files, reader))
    assert found["dev"]["ids_also_in_train"] == 0
    assert found["test"]["ids_also_in_train"] + found["test"]["ids_also_in_dev"] == found["test"]["ids"] == 2


def test_what_is_cut_is_counted_in_words_before_a_tokenizer_is_known(tmp_path: Path) -> None:
    long, short = "mild pain " * 5, "no pain"
    files = {
        "train.tsv": conll(long, short),
        "dev.tsv": conll("some pain"),
        "test.tsv": conll(long + "today", long, f"{short} today"),
    }
    words = write_task(tmp_path, files, {"format": "conll"}, "ner", labels=["sign"], max_length=6)
    found = counted(words)["test"]
    assert (found["cut"], found["mentions_cut"], found["mentions"], found["counted_in"]) == (
        2,
        4,
        11,
        "words",
    )
    shown = " ".join(CliRunner().invoke(app, words).stdout.split())
    assert "At least 2 of 3 test sentences are cut at 6 tokens; at least 4 of 11 mentions are" in shown
    assert "beyond the cut, so recall cannot exceed 0.64 and F1 cannot exceed 0.78." in shown


def test_a_note_that_is_cut_to_its_beginning_is_counted(tmp_path: Path) -> None:
    files = {
        "train.csv": table(*rows("train")),
        "dev.csv": table(*rows("dev")),
        "test.csv": table(*rows("test")),
    }
    words = write_task(tmp_path, files, TABLE, max_length=5)
    assert {split: found["cut"] for split, found in counted(words).items()} == {
        "train": 8,
        "dev": 8,
        "test": 8,
    }
    assert "At least 8 of 8 test texts are cut at 5 tokens." in CliRunner().invoke(app, words).stdout


AUROC = {"metric": "macro_auroc"}
THREE = ("a", "b", "c")


def refused(words: list[str]) -> str:
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, DataError), error
    assert error.exit_code == 2
    return str(error)


def test_a_class_without_a_row_is_refused_where_the_metric_needs_one(tmp_path: Path) -> None:
    files = {
        "train.csv": table(*rows("train", 12, THREE)),
        "dev.csv": table(*rows("dev", 4, THREE[:1])),
        "test.csv": table(*rows("test", 12, THREE[:2])),
    }
    said = refused(write_task(tmp_path, files, TABLE, **AUROC))
    assert "dev has no macro_auroc: 2 of the 3 classes have no row in it ('b', 'c')" in said
    assert "test has no macro_auroc: 1 of the 3 classes has no row in it ('c')" in said
    assert (
        "-> add rows of these classes to dev and test, or set another metric of the task, say macro_f1"
        in said
    )
    shown = CliRunner().invoke(app, write_task(tmp_path, files, TABLE))
    assert shown.exit_code == 0
    assert "1 of 3 classes has no row in test." in shown.stdout


def test_a_split_without_the_positive_class_is_refused(tmp_path: Path) -> None:
    files = {
        "train.csv": table(*rows("train", 12, THREE)),
        "dev.csv": table(*rows("dev", 12, THREE)),
        "test.csv": table(*rows("test", 12, THREE[:2])),
    }
    said = refused(write_task(tmp_path, files, TABLE, metric="class_recall", positive_label="c"))
    assert "test has no class_recall: no row has the label 'c'" in said
    assert "-> add rows of 'c' to test, or set another metric of the task, say macro_f1" in said
    error = (
        CliRunner()
        .invoke(app, write_task(tmp_path, files, TABLE, metric="class_recall", positive_label="d"))
        .exception
    )
    assert "positive_label 'd' is not among the labels of train" in str(error)


def test_a_share_that_leaves_a_rare_class_out_is_refused(tmp_path: Path) -> None:
    common = [(f"note {number}", "ab"[number % 2]) for number in range(60)]
    files = {"train.csv": table(*common, ("rare note", "c"), ("rare note", "c"))}
    reader = TABLE | {"hold_out": {"dev": 0.2, "test": 0.2}}
    said = refused(write_task(tmp_path, files, reader, labels=list(THREE), **AUROC))
    assert "1 of the 3 classes has no row in it ('c')" in said
    assert "raise hold_out." in said


def test_a_split_without_a_mention_is_refused(tmp_path: Path) -> None:
    files = {"train.tsv": conll("mild pain"), "dev.tsv": conll("all well"), "test.tsv": conll("no pain")}
    said = refused(write_task(tmp_path, files, {"format": "conll"}, "ner", labels=["sign"]))
    assert "dev has no entity_f1: there is nothing to find, as it has no mention" in said
    assert "test has" not in said


def test_a_relation_part_of_negatives_alone_is_refused(tmp_path: Path) -> None:
    both = ("none", "causes")
    files = {
        "train.csv": table(*rows("train", labels=both)),
        "dev.csv": table(*rows("dev", labels=both)),
        "test.csv": table(*rows("test", labels=("none",))),
    }
    said = refused(write_task(tmp_path, files, TABLE, "relation", negative_label="none"))
    assert (
        "test has no positive_micro_f1: there is nothing to find, as it has no row of another class" in said
    )
