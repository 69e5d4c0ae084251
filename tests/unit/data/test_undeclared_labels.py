"""Labels that nobody declared go into records: a column of text that was taken for them must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError, InputError
from workers.data import inspect_task, label_set, read_split

MARKER = "Zzpatientword"
CSV = {"format": "csv", "text": "text", "label": "label"}


def task(
    kind: TaskKind = TaskKind.CLASSIFICATION, labels: list[str] | None = None, **reader: Any
) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "name": "mine",
            "title": "Mine",
            "kind": kind,
            "domain": "clinical",
            "reader": {"files": {split: [str(split)] for split in Split}} | (reader or CSV),
            "labels": labels,
            "metric": PRIMARY[kind],
        }
    )


def write(root: Path, train: list[str], dev: list[str] | None = None) -> None:
    for split in Split:
        labels = dev if dev is not None and split is Split.DEV else train
        rows = "".join(f'{split} {number},"{label}"\n' for number, label in enumerate(labels))
        (root / split).write_text("text,label\n" + rows)


def both_refuse(spec: TaskSpec, root: Path, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as trained:
        label_set(spec, read_split(spec, Split.TRAIN, root))
    with pytest.raises(DataError, match=fault) as inspected:
        inspect_task(spec, root)
    for caught in (trained, inspected):
        said = f"{caught.value!s} {caught.value!r} {caught.value.__context__!r}"
        assert "label" in said
        assert MARKER not in said


MANY = [f"{MARKER} {number}" for number in range(51)] * 2
SINGLE = [f"{MARKER} {number}" for number in range(4)] + ["x"] * 9 + ["y"] * 9
PERSONS = [f"{MARKER} born 12.03.1951, MRN 99887766", f"Eve {MARKER} 1951-03-12", "x"] * 8
NUMBERS = [f"{MARKER[:3]}-998877", "x"] * 8
ADDRESSES = [f"{MARKER}@mail", "x"] * 8
SENTENCES = [f"the {MARKER} was seen today", "x", "y"] * 8
NAMES = [f"Ann {MARKER}", f"Eve {MARKER}", "x"] * 8
LONG = [f"{MARKER} " + "a" * 60, "x"] * 5


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        (MANY, "51 classes, and no `labels`"),
        (SINGLE, "4 of the 6 classes of train have one example only, and no `labels`"),
        (PERSONS, "2 of the 3 classes of train hold a date, an address or a long number, and no `labels`"),
        (NUMBERS, "1 of the 2 classes of train hold a date, an address or a long number, and no `labels`"),
        (ADDRESSES, "1 of the 2 classes of train hold a date, an address or a long number, and no `labels`"),
        (SENTENCES, "1 of the 3 classes of train have names of more than 4 words, and no `labels`"),
        (NAMES, "2 of the 3 classes of train have names of several words, and no `labels`"),
        (LONG, "lines 2, 4, .*: the label is longer than 60 characters, and no `labels`"),
    ],
)
def test_text_that_was_taken_for_labels_is_refused_in_counts(
    tmp_path: Path, labels: list[str], fault: str
) -> None:
    write(tmp_path, labels)
    both_refuse(task(), tmp_path, fault)
    declared = task(labels=sorted(set(labels)))
    assert len(label_set(declared, read_split(declared, Split.TRAIN, tmp_path))) == len(set(labels))
    assert inspect_task(declared, tmp_path)["labels"]


def test_few_classes_with_several_examples_each_need_no_declaration(tmp_path: Path) -> None:
    write(tmp_path, [str(number) for number in range(50)] * 2)
    assert len(inspect_task(task(), tmp_path)["labels"]) == 50
    write(tmp_path, ["x", "x", "rare"])
    assert inspect_task(task(), tmp_path)["labels"] == ["rare", "x"]


def test_text_in_another_split_is_refused_as_well(tmp_path: Path) -> None:
    write(tmp_path, ["x", "y"] * 4, dev=[MARKER, "x"])
    with pytest.raises(DataError, match="dev has 1 labels that train does not hold") as caught:
        inspect_task(task(), tmp_path)
    assert MARKER not in str(caught.value)


def test_columns_of_words_are_no_tags(tmp_path: Path) -> None:
    """The tags of a wrong column that look like BIO by chance."""
    for split in Split:
        rows = [f"B-{MARKER}{number}\tO" for number in range(3)]
        (tmp_path / split).write_text("\n\n".join(rows))
    spec = task(TaskKind.NER, format="conll", token_column=1, tag_column=0)
    both_refuse(spec, tmp_path, "3 of the 3 classes of train have one example only")


def test_an_attribute_of_text_is_no_type(tmp_path: Path) -> None:
    for split in Split:
        (tmp_path / split).mkdir()
        (tmp_path / split / "1.xml").write_text(
            f"<R><TEXT><![CDATA[{MARKER} sat]]></TEXT>"
            f'<TAGS><N start="0" end="{len(MARKER)}" text="{MARKER}" TYPE="x"/></TAGS></R>'
        )
    both_refuse(task(TaskKind.NER, format="i2b2-xml", attribute="text"), tmp_path, "1 of the 1 classes")


def test_the_command_prints_nothing_of_it(tmp_path: Path) -> None:
    catalogue = tmp_path / "mine" / "tasks"
    catalogue.mkdir(parents=True)
    spec = task().model_dump(mode="json", exclude={"name"}, exclude_none=True)
    (catalogue / "mine.yaml").write_text(json.dumps(spec))
    write(tmp_path, SINGLE)
    words = ["task", "inspect", "mine", f"data_dir={tmp_path}", "--catalogue", str(tmp_path / "mine")]
    for form in ([], ["--json"]):
        done = CliRunner().invoke(app, [*words, *form])
        assert isinstance(done.exception, InputError)
        assert MARKER not in done.output
