"""`frontier task inspect` on a corpus that lies there in another layout, with a fault in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.config.catalogue import load_catalogue
from orchestrator.contracts.task import MadeNotes
from orchestrator.errors import ConfigError, InputError
from workers.demo.corpora import write_task


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The training records as a directory with one bad annotation, the test records as one too."""
    task = load_catalogue().tasks["i2b2-2014-deid"].spec
    write_task(task.model_copy(update={"made": MadeNotes(train=8, dev=4, test=4)}), tmp_path)
    record = min((tmp_path / "i2b2-2014" / "testing-PHI-Gold-fixed").glob("*.xml"))
    record.write_text(record.read_text().replace('start="', 'start="9', 1))
    return tmp_path


def test_what_is_skipped_is_shown(data_dir: Path) -> None:
    words = ["task", "inspect", "i2b2-2014-deid", f"data_dir={data_dir}", "on_bad_record=skip"]
    shown = CliRunner().invoke(app, [*words, "--json"])
    splits = json.loads(shown.stdout)["splits"]
    assert {name: split["documents"] for name, split in splits.items()} == {"train": 8, "dev": 4, "test": 4}
    assert splits["test"]["skipped"] == {"it is not at its offsets": 1}
    table = CliRunner().invoke(app, words).stdout
    assert "skipped: it is not at its offsets" in " ".join(table.split())


def test_a_fault_stops_it_unless_told_otherwise(data_dir: Path) -> None:
    words = ["task", "inspect", "i2b2-2014-deid", f"data_dir={data_dir}"]
    assert isinstance(CliRunner().invoke(app, words).exception, InputError)
    assert isinstance(CliRunner().invoke(app, [*words, "on_bad_record=ignore"]).exception, ConfigError)


def test_only_the_terminal_of_who_inspects_names_the_file_of_a_fault(data_dir: Path) -> None:
    shown = CliRunner().invoke(app, ["task", "inspect", "i2b2-2014-deid", f"data_dir={data_dir}"])
    record = min((data_dir / "i2b2-2014" / "testing-PHI-Gold-fixed").glob("*.xml"))
    assert record.name not in str(shown.exception)
    assert ".xml file 1, annotation 1: it is not at its offsets" in str(shown.exception)
    assert f".xml file 1, annotation 1 is '{record.name}'" in shown.stderr


def test_a_corpus_that_is_not_there_is_said_with_all_its_layouts(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["task", "inspect", "i2b2-2010-re", f"data_dir={tmp_path}"])
    assert isinstance(done.exception, ConfigError)
    for name in ("concept_assertion_relation_training_data.tar.gz", "i2b2-2010-RE/validation"):
        assert name in str(done.exception)


def test_what_is_set_aside_is_shown_beside_the_mentions_that_the_tags_hold(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue"
    (catalogue / "tasks").mkdir(parents=True)
    lines = [
        "title: Nested",
        "kind: ner",
        "domain: clinical",
        "metric: entity_f1",
        "labels: [Chemical, Disease]",
    ]
    files = "{train: [train.txt], dev: [dev.txt], test: [test.txt]}"
    reader = f"reader: {{format: pubtator, entity_types: [Chemical, Disease], files: {files}}}"
    (catalogue / "tasks" / "nested.yaml").write_text("\n".join([*lines, reader]))
    for split in ("train", "dev", "test"):
        text = f"Lithium nephrotoxicity in {split}."
        mentions = "1\t0\t7\tLithium\tChemical\tC1\n1\t0\t22\tLithium nephrotoxicity\tDisease\tD1\n"
        (tmp_path / f"{split}.txt").write_text(f"1|t|{text}\n1|a|\n{mentions}")
    words = ["task", "inspect", "nested", f"data_dir={tmp_path}", "--catalogue", str(catalogue)]
    shown = CliRunner().invoke(app, words, catch_exceptions=False)
    table = " ".join(shown.stdout.split())
    assert "mention Chemical 0 0 0 mention Disease 1 1 1 set aside: overlapping 1 1 1" in table


def test_what_decides_a_study_is_shown(tmp_path: Path) -> None:
    """Repeated texts, the score to beat, and how well so many test documents measure."""
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "ours.yaml").write_text(
        "title: Ours\nkind: classification\ndomain: clinical\nmetric: accuracy\n"
        "reader: {format: csv, text: text, label: label,\n"
        "  files: {train: [a.csv], dev: [b.csv], test: [c.csv]}}\n"
    )
    for name, rows in (("a", 40), ("b", 10), ("c", 64)):
        lines = [
            f"{name} invented text {n // 2 if name == 'a' else n},{'ab'[n % 4 == 0]}" for n in range(rows)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    words = ["task", "inspect", "ours", f"data_dir={tmp_path}", "--catalogue", str(tmp_path / "mine")]
    shown = " ".join(CliRunner().invoke(app, words).output.split())
    assert "repeated texts 20 0 0" in shown
    assert "accuracy of guessing (always the commonest class of train): 0.750" in shown
    assert "64 test texts: the 95 % interval of a score near 0.8 will reach about 0.10 to each side" in shown
    answer = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert answer["guessing"] == 0.75
    assert answer["units"] == [64, "texts"]


def inspect_numbers(folder: Path, kind: str, reader: str, lines: dict[str, list[str]], suffix: str) -> str:
    """Write a task over files of one suffix and return what the command prints about it."""
    (folder / "mine" / "tasks").mkdir(parents=True)
    files = ", ".join(f"{split}: [{split}.{suffix}]" for split in lines)
    (folder / "mine" / "tasks" / "ours.yaml").write_text(
        f"title: Ours\ndomain: clinical\n{kind}\nreader: {{{reader}, files: {{{files}}}}}\n"
    )
    for split, rows in lines.items():
        (folder / f"{split}.{suffix}").write_text("\n".join(rows) + "\n")
    words = ["task", "inspect", "ours", f"data_dir={folder}", "--catalogue", str(folder / "mine")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("mae", "mean absolute error of guessing (always the same number, that of train): 3.000 days"),
        ("rmse", "root mean squared error of guessing (always the same number, that of train): 1.166 days"),
        ("pearson", None),
    ],
)
def test_guessing_a_number_is_shown_in_the_metric_of_the_task(
    tmp_path: Path, metric: str, expected: str | None
) -> None:
    """The median of train is 0, its mean 2.4; test has 2 and 4."""
    numbers = {"train": [0, 0, 1, 11, 0], "dev": [2, 4], "test": [2, 4]}
    lines = {
        split: [
            "text,days",
            *(f"{split} letter {round_} {n},{d}" for round_ in range(8) for n, d in enumerate(of)),
        ]
        for split, of in numbers.items()
    }
    kind = f"kind: regression\nmetric: {metric}\nunit: days"
    shown = inspect_numbers(tmp_path, kind, "format: csv, text: text, label: days", lines, "csv")
    if expected is None:
        assert "of guessing" not in shown
    else:
        assert expected in shown


def test_guessing_of_mentions_is_to_find_nothing(tmp_path: Path) -> None:
    lines = {
        split: [f"{split}{n}\tO\naspirin\tB-DRUG\n" for n in range(20)] for split in ("train", "dev", "test")
    }
    shown = inspect_numbers(tmp_path, "kind: ner\nmetric: entity_f1", "format: conll", lines, "tsv")
    assert "entity F1 (strict spans, words) of guessing (no entity anywhere): 0.000" in shown


def test_guessing_of_classes_is_shown_in_any_metric(tmp_path: Path) -> None:
    lines = {
        split: ["text,label", *(f"{split} letter {n},{'ab'[n % 2]}" for n in range(20))]
        for split in ("train", "dev", "test")
    }
    kind = "kind: classification\nmetric: macro_auroc"
    shown = inspect_numbers(tmp_path, kind, "format: csv, text: text, label: label", lines, "csv")
    assert "of guessing (always the commonest class of train): 0.500" in shown
