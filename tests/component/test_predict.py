"""What an exported model answers to a user's texts, and what becomes of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from exported_models import answered, exported, manifest, text_lines
from tiny_models import LABELS

from orchestrator.contracts.exported import Exported
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import DataError

LONG = "Fever since Monday . " * 40
TEXTS = ["No fever.", "Severe cough, and\na rash since Monday.", LONG]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[TaskKind, tuple[Path, Exported]]:
    """An adapter for texts and a whole model for words, as `frontier export` leaves them."""
    made = {}
    for kind, settings in {TaskKind.CLASSIFICATION: Lora(rank=2), TaskKind.NER: Full()}.items():
        use, out, written = exported(tmp_path_factory.mktemp("export"), "bert", settings, kind)
        made[kind] = out, manifest(use, written.layout)
    return made


def test_each_text_gets_a_label_and_probabilities(models: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    said = answered(models[TaskKind.CLASSIFICATION], text_lines(tmp_path / "in.jsonl", TEXTS), out)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert said == [{"done": 0, "of": 3}, {"done": 3, "of": 3}]
    assert [(record["row"], record["cut"]) for record in records] == [(1, False), (2, False), (3, True)]
    for record in records:
        shares = record["probabilities"]
        assert list(shares) == list(LABELS)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert shares[record["label"]] == max(shares.values())


def test_the_owner_alone_may_read_the_answers_and_nothing_else_is_left(models: Any, tmp_path: Path) -> None:
    source = text_lines(tmp_path / "in.jsonl", TEXTS)
    out = tmp_path / "out.jsonl"
    answered(models[TaskKind.CLASSIFICATION], source, out)
    assert out.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
    assert "Monday" not in out.read_text()


def test_answers_do_not_depend_on_the_texts_beside_them(models: Any, tmp_path: Path) -> None:
    together, alone = tmp_path / "together.jsonl", tmp_path / "alone.jsonl"
    answered(models[TaskKind.CLASSIFICATION], text_lines(tmp_path / "in.jsonl", TEXTS), together)
    answered(models[TaskKind.CLASSIFICATION], text_lines(tmp_path / "one.jsonl", TEXTS[1:2]), alone)
    second, one = json.loads(together.read_text().splitlines()[1]), json.loads(alone.read_text())
    assert second["probabilities"] == pytest.approx(one["probabilities"], abs=1e-5)


def test_entities_have_offsets_of_the_text_as_given(models: Any, tmp_path: Path) -> None:
    """The tiny model's three labels are renamed, so that there are entities to find. The last text is longer
    than the model takes, and is read to its end."""
    folder, of = models[TaskKind.NER]
    labels = ("O", "B-sign", "I-sign")
    renamed = of.model_copy(update={"use": of.use.model_copy(update={"labels": labels})})
    out = tmp_path / "out.jsonl"
    answered((folder, renamed), text_lines(tmp_path / "in.jsonl", [*TEXTS, "-"]), out)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(records) == 4
    entities = [(e, text) for r, text in zip(records, [*TEXTS, "-"], strict=True) for e in r["entities"]]
    assert entities
    for entity, text in entities:
        covered = text[entity["start"] : entity["end"]]
        assert covered == covered.strip() != ""
        assert entity["type"] == "sign"
        assert 0 < entity["probability"] <= 1
    ends = [entity["end"] for entity, text in entities if text == LONG]
    assert max(ends) > 0.9 * len(LONG)


def test_a_table_of_answers_has_a_column_per_label(models: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id,note\n7,"No fever,\nno cough"\n8,Rash\n')
    answered(models[TaskKind.CLASSIFICATION], source, out, "csv", text="note")
    rows = list(csv.DictReader(out.open()))
    assert [row["row"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == ["row", "label", "cut", *(f"probability of {label}" for label in LABELS)]


def test_a_folder_of_files_is_answered_by_their_names(models: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "letters", tmp_path / "out.jsonl"
    source.mkdir()
    for name in ("b", "a"):
        (source / f"{name}.txt").write_text(f"No fever, {name}.")
    answered(models[TaskKind.NER], source, out, "text")
    assert [json.loads(line)["file"] for line in out.read_text().splitlines()] == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("name", "content", "kind", "said"),
    [
        ("in.csv", "id,note\n1,Smith has fever\n", "csv", "pass --text with the name of the column"),
        ("in.csv", "text\nSmith\n  \n", "csv", "line 3: expected a text in 'text'"),
        ("in.csv", "text\n", "csv", "there is no text in it"),
        ("in.jsonl", '{"text": "Smith"}\n{"text": 3}\n{"text": ""}\n', "jsonl", "lines 2, 3"),
        ("in.jsonl", '{"note": "Smith"}\n', "jsonl", "pass --text with the key"),
        ("in.jsonl", "Smith\n", "jsonl", "it is not a JSON object"),
        ("in.txt", "Smith\xff", "text", "UTF-8"),
    ],
)
def test_a_bad_file_is_refused_without_a_word_of_it(
    models: Any, tmp_path: Path, name: str, content: str, kind: Any, said: str
) -> None:
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    source.write_text(content, encoding="latin-1")
    with pytest.raises(DataError) as refused:
        answered(models[TaskKind.CLASSIFICATION], source, out, kind)
    message = str(refused.value)
    assert said in message
    assert str(source) in message
    assert "Smith" not in message
    assert list(tmp_path.iterdir()) == [source]
