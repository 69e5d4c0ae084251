"""A task that could never be trained is found in its entry, with file and key, before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import load_catalogue
from orchestrator.config.catalogue import read_catalogue
from orchestrator.errors import ConfigError

PARTS = {"train": ["a.csv"], "dev": ["b.csv"], "test": ["c.csv"]}
CSV = {"format": "csv", "text": "text", "label": "label", "files": PARTS}
XML = {"format": "i2b2-xml", "attribute": "type", "files": {"train": ["a"], "test": ["c"]}}
PAIRS = {"format": "pubtator", "files": PARTS, "entity_types": ["Drug", "Disease"], "relation": "CID"}
MIMIC = {
    "format": "mimic-notes",
    "outcome": "diagnosis-group",
    "groups": "groups.csv",
    "files": {"train": ["x/NOTEEVENTS.csv.gz", "ADMISSIONS.csv", "diagnoses_icd.csv"]},
}
CODES = {
    "format": "mimic-notes",
    "outcome": "discharge-codes",
    "codes": 50,
    "files": {"train": ["NOTEEVENTS.csv", "ADMISSIONS.csv", "DIAGNOSES_ICD.csv", "PROCEDURES_ICD.csv"]},
}
GOOD = {"title": "T", "kind": "classification", "domain": "clinical", "metric": "macro_f1", "reader": CSV}
RELATION = GOOD | {"kind": "relation", "metric": "positive_micro_f1", "negative_label": "none"}
NER = GOOD | {"kind": "ner", "metric": "entity_f1"}


def entry(tmp_path: Path, spec: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the entry, problem and remedy by key."""
    file = tmp_path / "tasks" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(spec))
    _, problems = read_catalogue([tmp_path])
    assert {c.where for c in problems} <= {str(file)}
    return {c.key: f"{c.problem}; {c.fix}" for c in problems}


@pytest.mark.parametrize(
    "spec", [GOOD, RELATION, NER | {"reader": XML | {"hold_out": {"dev": 0.1}}}, GOOD | {"reader": MIMIC}]
)
def test_a_whole_task_is_taken(tmp_path: Path, spec: dict[str, Any]) -> None:
    assert entry(tmp_path, spec) == {}


@pytest.mark.parametrize(
    ("spec", "key", "words"),
    [
        (
            GOOD | {"reader": CODES},
            "reader.outcome",
            "discharge-codes gives no classification examples; for classification tasks use one of",
        ),
        (
            GOOD | {"kind": "multilabel", "metric": "micro_f1", "reader": {**CODES, "codes": None}},
            "reader.codes",
            "set codes: 50",
        ),
        (GOOD | {"reader": MIMIC | {"codes": 50}}, "reader.codes", "belongs to discharge-codes, got 50"),
        (
            GOOD | {"kind": "multilabel", "metric": "micro_f1", "reader": CODES | {"files": MIMIC["files"]}},
            "reader.files.train",
            "PROCEDURES_ICD",
        ),
        (
            GOOD | {"reader": CSV | {"files": {k: PARTS[k] for k in ("train", "dev")}}},
            "reader.files.test",
            "missing",
        ),
        (GOOD | {"reader": CSV | {"files": PARTS | {"dev": []}}}, "reader.files.dev", "at least"),
        (NER | {"reader": XML}, "reader.files.dev", "hold_out: {dev: 0.1}"),
        (
            GOOD | {"layouts": [CSV | {"files": {"train": ["a"], "test": ["c"]}}]},
            "layouts.0.files.dev",
            "missing",
        ),
        (
            NER | {"reader": XML | {"hold_out": {"dev": 0.1, "test": 0.1}}},
            "reader.hold_out.test",
            "one of the two",
        ),
        (NER | {"reader": XML | {"hold_out": {"dev": 0.6, "test": 0.5}}}, "reader.hold_out", "1.1 of train"),
        (NER, "reader.format", "csv gives no ner examples; ner tasks are read as one of: arrow, conll"),
        (GOOD | {"layouts": [XML]}, "layouts.0.format", "i2b2-xml gives no classification"),
        (GOOD | {"reader": CSV | {"files": PARTS | {"tset": ["c"]}}}, "reader.files.tset", "'test'"),
        (
            GOOD | {"reader": CSV | {"format": "cvs"}},
            "reader.format",
            "unknown format, got 'cvs'; did you mean 'csv'?",
        ),
        (GOOD | {"reader": {"files": PARTS}}, "reader.format", "is missing; add it, one of: conll, pubtator"),
        (
            GOOD | {"reader": CSV | {"files": PARTS | {"test": ["/etc/c.csv"]}}},
            "reader.files.test.0",
            "data_dir",
        ),
        (GOOD | {"reader": CSV | {"files": PARTS | {"test": ["../c.csv"]}}}, "reader.files.test.0", "'..'"),
        (GOOD | {"reader": MIMIC | {"groups": None}}, "reader.groups", "icd9_code"),
        (
            GOOD | {"reader": MIMIC | {"outcome": "mortality"}},
            "reader.groups",
            "belongs to outcome: diagnosis-group",
        ),
        (
            GOOD | {"reader": MIMIC | {"files": {"train": ["ADMISSIONS.csv"]}}},
            "reader.files.train",
            "NOTEEVENTS, DIAG",
        ),
        (RELATION | {"reader": PAIRS | {"relation": None}}, "reader.relation", "CID"),
        (
            RELATION | {"reader": PAIRS | {"entity_types": ["Drug"]}},
            "reader.entity_types",
            "exactly two, got Drug",
        ),
        (RELATION | {"labels": ["causes", "treats"]}, "negative_label", "not among labels, got 'none'"),
        (GOOD | {"negative_label": "none"}, "negative_label", "this is a classification task"),
        (GOOD | {"metric": "class_recall"}, "positive_label", "is missing, and metric class_recall"),
        (RELATION | {"positive_label": "a"}, "positive_label", "this is a relation task"),
        (GOOD | {"labels": ["a", "b"], "positive_label": "c"}, "positive_label", "not among labels, got 'c'"),
        (RELATION | {"negative_label": None}, "negative_label", "no relation"),
        (GOOD | {"labels": ["a", "a", "b"]}, "labels", "'a' is listed 2 times"),
        (GOOD | {"labels": ["a"]}, "labels", "needs 2 labels"),
        (GOOD | {"labels": ["a", "b"], "reader": CSV | {"merge": {"x": "c"}}}, "reader.merge", "'c'"),
        (GOOD | {"metric": "entity_f1"}, "metric", "does not exist for a classification task; use one of: "),
        (
            NER | {"metric": "subword_f1", "reader": XML | {"hold_out": {"dev": 0.1}}},
            "metric",
            "paper_scoring: true",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_trained_is_told_with_its_key(
    tmp_path: Path, spec: dict[str, Any], key: str, words: str
) -> None:
    found = entry(tmp_path, spec)
    assert list(found) == [key]
    assert words in found[key]


@pytest.mark.parametrize(
    ("wrong", "key", "words"),
    [
        (
            GOOD | {"metric": "macro-f1"},
            "metric",
            "did you mean 'macro_f1'? Else use one of those for classification: ",
        ),
        (
            NER | {"metric": "f1"},
            "metric",
            "one of those for ner: entity_f1, entity_precision, entity_recall, ",
        ),
        (GOOD | {"hold_out": {"dev": 0.1}}, "hold_out", "write it under `reader:`"),
        (GOOD | {"reader": CSV | {"max_length": 64}}, "reader.max_length", "one level up, beside `reader`"),
        (
            GOOD | {"reader": CSV | {"files": {"train": ["a.csv"]}}},
            "reader.files.dev",
            "under `reader:` add hold_out: {dev: 0.1, test: 0.1}",
        ),
        ({k: v for k, v in GOOD.items() if k != "domain"}, "domain", "say clinical, biomedical or general"),
        ({k: v for k, v in NER.items() if k != "metric"}, "metric", "one of those for ner: entity_f1"),
    ],
)
def test_a_fix_says_what_to_write_and_under_which_key(
    tmp_path: Path, wrong: dict[str, Any], key: str, words: str
) -> None:
    assert words in entry(tmp_path, wrong)[key]


@pytest.mark.parametrize(
    ("hold_out", "key"),
    [
        ({"values": {"test": ["south"]}}, "reader.hold_out.values"),
        ({"by": "site", "values": {"train": ["south"], "test": ["west"]}}, "reader.hold_out.values.train"),
        ({"by": "site", "values": {"test": ["south"]}, "test": 0.2}, "reader.hold_out.values.test"),
        ({"by": "site", "values": {"test": ["south"], "dev": ["south"]}}, "reader.hold_out.values"),
    ],
)
def test_sites_are_named_once_and_with_their_column(
    tmp_path: Path, hold_out: dict[str, Any], key: str
) -> None:
    reader = CSV | {"files": {"train": ["a.csv"]}, "hold_out": hold_out}
    assert key in entry(tmp_path, GOOD | {"reader": reader})


def test_a_format_without_columns_has_no_sites(tmp_path: Path) -> None:
    reader = XML | {"files": {"train": ["a"]}, "hold_out": {"by": "site", "dev": 0.2, "test": 0.2}}
    assert "no named columns" in entry(tmp_path, NER | {"reader": reader})["reader.hold_out.by"]


def test_the_folder_of_entries_is_no_catalogue(tmp_path: Path) -> None:
    entry(tmp_path, GOOD)
    (problem,) = read_catalogue([tmp_path / "tasks"])[1]
    assert problem.fix == f"name the directory that holds it: {tmp_path}"


def test_all_that_is_wrong_comes_at_once(tmp_path: Path) -> None:
    wrong = GOOD | {"metric": "entity_f1", "negative_label": "x", "labels": ["a"], "layouts": [XML]}
    assert set(entry(tmp_path, wrong)) == {"metric", "negative_label", "labels", "layouts.0.format"}


@pytest.mark.parametrize("hub", ["https://huggingface.co/a/b", "a/b/c", "", "../b", "a b"])
def test_a_repository_is_named_as_the_hub_names_it(tmp_path: Path, hub: str) -> None:
    text = f"model: m\ndomain: d\narchitecture: bert\nweights: {{kind: hub, hub: {hub!r}}}\n"
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "b.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"weights\.hub: is no repository of a hub, .*\n.*owner/name"):
        load_catalogue([tmp_path])
