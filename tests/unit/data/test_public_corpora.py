"""The public corpora give the counts that their publishers and their README give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.data import inspect_task

BC5CDR = {
    "train": ["bc5cdr/CDR_TrainingSet.PubTator.txt"],
    "dev": ["bc5cdr/CDR_DevelopmentSet.PubTator.txt"],
    "test": ["bc5cdr/CDR_TestSet.PubTator.txt"],
}


def inspect(root: Path, kind: TaskKind, reader: dict[str, Any], **more: Any) -> dict[str, Any]:
    values = {"name": "t", "title": "t", "kind": kind, "domain": "biomedical", "metric": PRIMARY[kind]}
    return inspect_task(TaskSpec.model_validate(values | {"reader": reader} | more), root)


def by_split(summary: dict[str, Any], key: str) -> list[Any]:
    return [summary["splits"][split][key] for split in ("train", "dev", "test")]


def test_ncbi_disease(corpora: Path) -> None:
    files = {
        "train": ["ncbi_disease/train.tsv"],
        "dev": ["ncbi_disease/devel.tsv"],
        "test": ["ncbi_disease/test.tsv"],
    }
    found = inspect(corpora, TaskKind.NER, {"format": "conll", "files": files})
    assert by_split(found, "examples") == [5432, 923, 940]
    assert by_split(found, "mentions") == [{"Disease": n} for n in (5145, 787, 960)]
    assert found["labels"] == ["O", "B-Disease", "I-Disease"]


def test_bc5cdr_mentions_all_become_spans(corpora: Path) -> None:
    reader = {"format": "pubtator", "files": BC5CDR, "entity_types": ["Chemical", "Disease"]}
    found = inspect(corpora, TaskKind.NER, reader)
    assert by_split(found, "documents") == [500, 500, 500]
    expected = [(5203, 4182), (5347, 4244), (5385, 4424)]
    assert by_split(found, "mentions") == [{"Chemical": c, "Disease": d} for c, d in expected]
    assert [(tags["B-Chemical"], tags["B-Disease"]) for tags in by_split(found, "labels")] == expected
    assert by_split(found, "examples") == [4580, 4590, 4821]  # of 4592 in dev, 4 are joined by "St. Louis …"
    assert by_split(found, "set_aside") == [{}, {}, {}]


def test_bc5cdr_relations_and_sentence_pairs(corpora: Path) -> None:
    """The corpus has 1,038, 1,012 and 1,066 relations; those that no sentence holds are set aside."""
    reader = {
        "format": "pubtator",
        "files": BC5CDR,
        "entity_types": ["Chemical", "Disease"],
        "relation": "CID",
    }
    found = inspect(corpora, TaskKind.RELATION, reader, negative_label="none")
    held, examples = by_split(found, "relations"), by_split(found, "examples")
    aside = [counts["relations in different sentences"] for counts in by_split(found, "set_aside")]
    assert list(zip(held, aside, strict=True)) == [(756, 282), (767, 245), (748, 318)]
    assert [sum(pair) for pair in zip(held, aside, strict=True)] == [1038, 1012, 1066]
    assert examples == [4615, 4997, 4906]


def test_mts_dialog(corpora: Path) -> None:
    names = "TrainingSet", "ValidationSet", "TestSet-1-MEDIQA-Chat-2023"
    files = {
        s: [f"mts_dialog/MTS-Dialog-{n}.csv"] for s, n in zip(("train", "dev", "test"), names, strict=True)
    }
    reader = {"format": "csv", "files": files, "text": "section_text", "label": "section_header"}
    found = inspect(corpora, TaskKind.CLASSIFICATION, reader)
    assert by_split(found, "examples") == [1201, 100, 200]
    assert len(found["labels"]) == 20
