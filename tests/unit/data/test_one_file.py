"""One file of one's own, from which dev and test are held out: each record in one split, kin together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Example, inspect_task, read_split
from workers.data.faults import Faults
from workers.demo.corpora import write_task

SHARES = {"dev": 0.2, "test": 0.2}
CSV = {"format": "csv", "text": "text", "label": "label"}
JSONL = CSV | {"format": "jsonl"}


def task(reader: dict[str, Any], kind: TaskKind = TaskKind.CLASSIFICATION, **more: Any) -> TaskSpec:
    negative = {"negative_label": "none"} if kind is TaskKind.RELATION else {}
    values = {"name": "t", "title": "T", "kind": kind, "domain": "clinical", "metric": PRIMARY[kind]}
    held_out = {"files": {"train": ["all"]}, "hold_out": SHARES}
    return TaskSpec.model_validate(values | negative | {"reader": held_out | reader} | more)


def parts(root: Path, content: str, spec: TaskSpec) -> dict[Split, list[Example]]:
    (root / "all").write_text(content)
    return {split: read_split(spec, split, root) for split in Split}


def shares(found: dict[Split, list[Example]]) -> list[float]:
    total = sum(map(len, found.values()))
    return [len(examples) / total for examples in found.values()]


def splits_by(found: dict[Split, list[Example]], key: Any) -> dict[str, set[Split]]:
    where: dict[str, set[Split]] = {}
    for split, examples in found.items():
        for example in examples:
            where.setdefault(key(example), set()).add(split)
    return where


def table(rows: list[tuple[str, str, str]], form: str) -> str:
    """Rows of patient, text and label."""
    if form == "csv":
        return "".join(",".join(row) + "\n" for row in [("patient", "text", "label"), *rows])
    return "".join(json.dumps({"patient": p, "text": t, "label": y}) + "\n" for p, t, y in rows)


def sites(form: str) -> str:
    rows = [(f"p{n // 2}", ("north", "south", "west")[n % 3], f"note {n}", "yn"[n % 2]) for n in range(600)]
    if form == "csv":
        return "".join(",".join(row) + "\n" for row in [("patient", "site", "text", "label"), *rows])
    keys = ("patient", "site", "text", "label")
    return "".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows)


@pytest.mark.parametrize("reader", [CSV, JSONL], ids=lambda reader: reader["format"])
def test_named_sites_are_test_and_the_others_are_parted_by_their_id(
    tmp_path: Path, reader: dict[str, Any]
) -> None:
    hold_out = {"by": "site", "values": {"test": ["south"]}, "dev": 0.2}
    spec = task(reader | {"hold_out": hold_out, "id": "patient"})
    found = parts(tmp_path, sites(reader["format"]), spec)
    assert len(found[Split.TEST]) == 200
    assert len(found[Split.DEV]) == pytest.approx(80, abs=25)
    answer = inspect_task(spec, tmp_path)
    assert answer["splits"]["test"]["groups"] == {"north": 0, "south": 200, "west": 0}
    assert sum(split["groups"]["north"] for split in answer["splits"].values()) == 200
    assert answer["splits"]["test"]["counts"]["ids_also_in_train"] > 0  # patients of two sites


def test_without_names_a_site_falls_whole_by_its_hash(tmp_path: Path) -> None:
    rows = [f"s{n % 40},note {n},{'yn'[n % 3 == 0]}" for n in range(400)]
    spec = task(CSV | {"hold_out": {"by": "site", "dev": 0.3, "test": 0.3}})
    (tmp_path / "all").write_text("\n".join(["site,text,label", *rows]) + "\n")
    splits = inspect_task(spec, tmp_path)["splits"]
    groups = [{name for name, rows in split["groups"].items() if rows} for split in splits.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 40
    assert all(groups)


@pytest.mark.parametrize(
    ("hold_out", "cell", "words"),
    [
        ({"by": "ward", "dev": 0.2, "test": 0.2}, "north", "there is no column 'ward'"),
        ({"by": "site", "values": {"test": ["noth"]}, "dev": 0.2}, "north", "hold_out.values.test"),
        ({"by": "site", "values": {"test": ["south"]}, "dev": 0.2}, "", "the group is empty"),
    ],
)
def test_a_site_that_is_not_there_is_a_problem_of_the_file(
    tmp_path: Path, hold_out: dict[str, Any], cell: str, words: str
) -> None:
    spec = task(CSV | {"hold_out": hold_out})
    (tmp_path / "all").write_text(
        "".join(["site,text,label\n", *(f"{cell},note {n},y\n" for n in range(99))])
    )
    with pytest.raises(DataError, match=words):
        inspect_task(spec, tmp_path)


@pytest.mark.parametrize("reader", [CSV, JSONL], ids=lambda reader: reader["format"])
def test_rows_of_one_id_stay_together_and_are_one_document(tmp_path: Path, reader: dict[str, Any]) -> None:
    rows = [(f"p{n % 200}", f"note {n} of p{n % 200}", "yn"[n % 2]) for n in range(800)]
    spec = task(reader | {"id": "patient"})
    found = parts(tmp_path, table(rows, reader["format"]), spec)
    assert sum(map(len, found.values())) == 800
    assert shares(found) == pytest.approx([0.6, 0.2, 0.2], abs=0.1)
    where = splits_by(found, lambda e: e.text.split()[-1])
    assert len(where) == 200
    assert all(len(splits) == 1 for splits in where.values())
    assert sum(s["documents"] for s in inspect_task(spec, tmp_path)["splits"].values()) == 200


@pytest.mark.parametrize("reader", [CSV, JSONL], ids=lambda reader: reader["format"])
def test_without_an_id_equal_texts_stay_together(tmp_path: Path, reader: dict[str, Any]) -> None:
    rows = [(str(n), f"note {n % 300}", "yn"[n % 2]) for n in range(600)]
    found = parts(tmp_path, table(rows, reader["format"]), task(reader))
    assert shares(found) == pytest.approx([0.6, 0.2, 0.2], abs=0.1)
    assert all(len(splits) == 1 for splits in splits_by(found, lambda e: e.text).values())


def test_the_masked_pairs_of_a_sentence_stay_together(tmp_path: Path) -> None:
    sentences = [f"word{n} {{}} and {{}} and {{}} end{n}" for n in range(200)]
    masks = [("@x$", "@y$", "b"), ("@x$", "a", "@y$"), ("c", "@x$", "@y$")]
    rows = [(str(n), s.format(*m), "none") for n, s in enumerate(sentences) for m in masks]
    found = parts(tmp_path, table(rows, "csv"), task(CSV, TaskKind.RELATION))
    assert all(len(splits) == 1 for splits in splits_by(found, lambda e: e.text.split()[0]).values())
    assert min(map(len, found.values())) > 0


def test_conll_is_parted_by_document_where_it_marks_them_else_by_sentence(tmp_path: Path) -> None:
    documents = ["".join(f"d{n}\tO\nword{s}\tB-X\n\n" for s in range(3)) for n in range(200)]
    spec = task({"format": "conll"}, TaskKind.NER)
    marked = parts(tmp_path, "".join(f"-DOCSTART-\tO\n\n{text}" for text in documents), spec)
    where = splits_by(marked, lambda e: e.tokens[0])
    assert len(where) == 200
    assert all(len(splits) == 1 for splits in where.values())
    assert shares(marked) == pytest.approx([0.6, 0.2, 0.2], abs=0.1)
    unmarked = parts(tmp_path, "".join(documents), spec)
    assert sum(map(len, unmarked.values())) == 600
    assert any(len(splits) > 1 for splits in splits_by(unmarked, lambda e: e.tokens[0]).values())
    again = parts(tmp_path, "".join(documents).replace("B-X", "B-Y"), spec)
    assert [[e.tokens for e in v] for v in again.values()] == [
        [e.tokens for e in v] for v in unmarked.values()
    ]


def test_pubtator_is_parted_by_the_ids_of_documents(tmp_path: Path) -> None:
    text = "\n".join(f"{n}|t|Title\n{n}|a|aspirin\n{n}\t6\t13\taspirin\tDrug\tD1\n" for n in range(300))
    spec = task({"format": "pubtator", "entity_types": ["Drug"]}, TaskKind.NER)
    found = parts(tmp_path, text, spec)
    counts = [s["documents"] for s in inspect_task(spec, tmp_path)["splits"].values()]
    assert sum(counts) == 300
    assert [len({e.document for e in examples}) for examples in found.values()] == counts
    assert shares(found) == pytest.approx([0.6, 0.2, 0.2], abs=0.1)


@pytest.mark.parametrize(
    ("reader", "bad"),
    [(CSV, "one,row,with,more\n"), (JSONL, "no json\n"), (JSONL, '{"other": 1}\n'), (CSV, "p9,,y\n")],
)
def test_a_malformed_row_is_counted_in_one_split(tmp_path: Path, reader: dict[str, Any], bad: str) -> None:
    rows = [(f"p{n}", f"note {n}", "yn"[n % 2]) for n in range(60)]
    (tmp_path / "all").write_text(table(rows, reader["format"]) + bad)
    for identified in ({}, {"id": "patient"}):
        spec = task(reader | identified, on_bad_record="skip")
        faults = {split: Faults("skip") for split in Split}
        found = {split: read_split(spec, split, tmp_path, faults[split]) for split in Split}
        assert sum(map(len, found.values())) == 60
        assert sum(f.count for f in faults.values()) == 1


def test_an_empty_id_is_a_fault_that_names_its_column(tmp_path: Path) -> None:
    (tmp_path / "all").write_text("patient,text,label\n1,a,x\n ,b,y\n")
    spec = task(CSV | {"id": "patient", "hold_out": None})
    with pytest.raises(DataError, match="the id is empty"):
        read_split(spec, Split.TRAIN, tmp_path)


@pytest.mark.parametrize(
    ("kind", "reader"),
    [
        (TaskKind.CLASSIFICATION, CSV | {"id": "patient"}),
        (TaskKind.RELATION, JSONL | {"id": "patient"}),
        (TaskKind.NER, {"format": "pubtator", "entity_types": ["problem"]}),
    ],
)
def test_invented_notes_fall_where_they_are_made_for(
    tmp_path: Path, kind: TaskKind, reader: dict[str, Any]
) -> None:
    spec = task(reader, kind, made=MadeNotes(train=30, dev=12, test=9))
    write_task(spec, tmp_path)
    counts = [s["documents"] for s in inspect_task(spec, tmp_path)["splits"].values()]
    assert counts == [30, 12, 9]
