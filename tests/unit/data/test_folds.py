"""Folds of a cross-validation: each document is tested once per seed, and no group is parted."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.exported import EvaluateRequest, Exported
from orchestrator.contracts.fold import Fold, folds_of
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import HoldOut, TableReader
from orchestrator.contracts.requests import StageRequest
from orchestrator.contracts.sameness import Identity
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind, Unit
from orchestrator.errors import DataError, InputError
from workers.data import Text, inspect_task, read_corpus
from workers.data.examples import labels_of
from workers.data.folds import FoldOfSeed
from workers.data.folds import _spread as spread
from workers.demo.corpora import write_task
from workers.documents import number_documents
from workers.exported.score import score
from workers.stage import stage

LABELS = ("a", "b", "c")
Rows = list[dict[str, str]]


def letters(count: int, patients: int | None = None) -> Rows:
    """Rows whose label is a for two in three; `patients` write several."""
    return [
        {
            "text": f"letter {n} of the ward",
            "label": LABELS[0 if n % 3 else 1 + n % 2],
            "patient": str(n % (patients or count)),
            "site": f"site {n % 7}",
        }
        for n in range(count)
    ]


def task(
    folder: Path,
    rows: Rows,
    folds: int = 5,
    dev: float = 0.2,
    by: str | None = None,
    id: str | None = None,
    second_text: str | None = None,
    kind: TaskKind = TaskKind.CLASSIFICATION,
) -> TaskSpec:
    (folder / "letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskSpec(
        name="letters",
        title="Letters",
        kind=kind,
        domain="clinical",
        negative_label="a" if kind is TaskKind.RELATION else None,
        metric=MetricName.POSITIVE_MICRO_F1 if kind is TaskKind.RELATION else MetricName.MACRO_F1,
        reader=TableReader(
            format="jsonl",
            files={Split.TRAIN: ("letters.jsonl",)},
            text="text",
            second_text=second_text,
            label="label",
            id=id,
            hold_out=HoldOut(dev=dev, folds=folds, by=by),
        ),
    )


def splits_of_folds(spec: TaskSpec, folder: Path, seed: int = 0) -> list[dict[Split, list[Text]]]:
    folds = [fold for fold in folds_of(spec.folds) if fold is not None]
    return [read_corpus(spec, folder, which=FoldOfSeed(fold, seed)).splits for fold in folds]  # type: ignore[misc]


def texts(examples: Iterable[Text]) -> list[str]:
    return sorted(example.text for example in examples)


@given(count=st.integers(12, 60), folds=st.integers(2, 6), dev=st.floats(0.05, 0.4), seed=st.integers(0, 99))
def test_each_row_is_tested_once_and_never_in_what_was_learnt_from(
    tmp_path_factory: pytest.TempPathFactory, count: int, folds: int, dev: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = letters(count)
    parts = splits_of_folds(task(folder, rows, folds, dev), folder, seed)
    assert sorted(text for part in parts for text in texts(part[Split.TEST])) == sorted(
        r["text"] for r in rows
    )
    for part in parts:
        assert sorted(text for split in Split for text in texts(part[split])) == sorted(
            r["text"] for r in rows
        )
        assert all(part[split] for split in Split)
    sizes = [len(part[Split.TEST]) for part in parts]
    assert max(sizes) - min(sizes) <= len(LABELS)


def test_each_class_is_spread_over_the_folds_and_dev_is_like_train(tmp_path: Path) -> None:
    parts = splits_of_folds(task(tmp_path, letters(300)), tmp_path)
    tested = [Counter(example.label for example in part[Split.TEST]) for part in parts]
    for label in LABELS:
        counts = [found[label] for found in tested]
        assert max(counts) - min(counts) <= 1
    for part in parts:
        dev, train = (Counter(e.label for e in part[split]) for split in (Split.DEV, Split.TRAIN))
        assert all(dev[label] == pytest.approx(0.25 * train[label], abs=1) for label in LABELS)


@pytest.mark.parametrize(("id", "by", "column"), [("patient", None, "patient"), (None, "site", "site")])
def test_rows_of_one_patient_or_site_stay_together(
    tmp_path: Path, id: str | None, by: str | None, column: str
) -> None:
    rows = letters(90, patients=20)
    group_of = {row["text"]: row[column] for row in rows}
    parts = splits_of_folds(task(tmp_path, rows, id=id, by=by), tmp_path)
    tested = [{group_of[text] for text in texts(part[Split.TEST])} for part in parts]
    assert sum(map(len, tested)) == len(set().union(*tested)) == len(set(group_of.values()))
    for part in parts:
        groups = [{group_of[text] for text in texts(part[split])} for split in Split]
        assert sum(map(len, groups)) == len(set().union(*groups))


def test_folds_depend_on_the_seed_and_not_on_the_order_of_rows(tmp_path: Path) -> None:
    rows, other = letters(60), tmp_path / "other"
    other.mkdir()

    def tested(folder: Path, order: Rows, seed: int) -> list[list[str]]:
        return [texts(part[Split.TEST]) for part in splits_of_folds(task(folder, order), folder, seed)]

    assert tested(tmp_path, rows, 1) == tested(other, rows[::-1], 1)
    assert tested(tmp_path, rows, 1) != tested(tmp_path, rows, 2)


def sized(column: str, sizes: Iterable[int]) -> Rows:
    """Rows of documents or sites that have so many each."""
    return [
        {"text": f"letter {number} of {name}", "label": LABELS[number % 2], column: f"{column} {name}"}
        for name, size in enumerate(sizes)
        for number in range(size)
    ]


@pytest.mark.parametrize(
    ("column", "sizes", "folds"),
    [("patient", range(1, 26), 5), ("site", (61, 52, 47, 38, 33, 27, 21, 14), 4)],
)
def test_seeds_deal_documents_of_different_sizes_differently(
    tmp_path: Path, column: str, sizes: Iterable[int], folds: int
) -> None:
    rows = sized(column, sizes)
    (by, id) = (column, None) if column == "site" else (None, column)
    spec = task(tmp_path, rows, folds=folds, by=by, id=id)
    tested, held = set(), set()
    for seed in range(6):
        parts = splits_of_folds(spec, tmp_path, seed)
        tested.add(frozenset(tuple(texts(part[Split.TEST])) for part in parts))
        held.add(frozenset(tuple(texts(part[Split.DEV])) for part in parts))
        counts = [len(part[Split.TEST]) for part in parts]
        assert sum(counts) == len(rows)
        assert max(counts) <= 1.4 * sum(counts) / folds
    assert len(tested) >= 4
    assert len(held) >= 4


@given(st.permutations(range(7)), st.integers(0, 9))
def test_no_order_of_labels_moves_a_document(order: list[int], seed: int) -> None:
    documents = [[f"{name}" for name in range(7) if (n >> name) & 1 or n % 3 == name % 3] for n in range(40)]
    straight, mixed = (
        {
            Identity(f"{n}"): Counter(["", *sorted(labels, key=lambda label: by[int(label)])])
            for n, labels in enumerate(documents)
        }
        for by in (range(7), order)
    )
    assert spread(straight, [1.0] * 5, f"{seed}") == spread(mixed, [1.0] * 5, f"{seed}")


def test_folds_are_pinned(tmp_path: Path) -> None:
    [first, *_] = splits_of_folds(task(tmp_path, letters(15), folds=3), tmp_path, seed=7)
    # Another rule would give every fold other documents, and every score another meaning.
    assert [int(text.split()[1]) for text in texts(first[Split.TEST])] == [0, 14, 2, 7, 8]


def test_pairs_of_one_first_text_are_tested_by_one_fold(tmp_path: Path) -> None:
    rows = [{"text": f"premise {n // 3}", "other": f"claim {n}", "label": LABELS[n % 3]} for n in range(45)]
    parts = splits_of_folds(task(tmp_path, rows, second_text="other"), tmp_path)
    tested = [set(texts(part[Split.TEST])) for part in parts]
    assert sum(map(len, tested)) == 15


def test_masked_pairs_of_one_sentence_are_tested_by_one_fold(tmp_path: Path) -> None:
    sentence = "on day {} the nurse gave {} and {} against {} in the morning of the visit"
    rows = [
        {"text": sentence.format(day, *masked), "label": "ab"[number]}
        for day in ("one", "two", "three", "four", "five", "six", "seven", "eight")
        for number, masked in enumerate(
            [("@DRUG$", "aspirin", "@PROBLEM$"), ("heparin", "@DRUG$", "@PROBLEM$")]
        )
    ]
    spec = task(tmp_path, rows, folds=2, dev=0.3, kind=TaskKind.RELATION)
    days = [{t.split()[2] for t in texts(p[Split.TEST])} for p in splits_of_folds(spec, tmp_path)]
    assert sorted(map(len, days)) == [4, 4]


def test_all_folds_and_seeds_number_the_documents_alike(tmp_path: Path) -> None:
    spec = task(tmp_path, letters(40, patients=13), id="patient")
    seen: dict[str, set[int]] = {}
    sets = set()
    for seed, fold in [(seed, fold) for seed in (1, 2) for fold in folds_of(5)]:
        corpus = read_corpus(spec, tmp_path, which=FoldOfSeed(fold, seed))  # type: ignore[arg-type]
        test = corpus.splits[Split.TEST]
        documents = number_documents(test, among=corpus.tested)
        sets.add((documents.test_set, documents.count, documents.unit))
        for example, place in zip(test, documents.places, strict=True):
            seen.setdefault(example.text, set()).add(place)
    assert len(sets) == 1
    assert sets.pop()[1:] == (13, Unit.DOCUMENT)
    assert all(len(places) == 1 for places in seen.values())


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_a_patient_of_two_sites_is_numbered_alike_by_all_folds(tmp_path: Path, format: str) -> None:
    rows = letters(80, patients=20)  # in each site there are rows of most patients
    spec = task(tmp_path, rows, id="patient", by="site")
    if format == "parquet":
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        parquet.write_table(pa.table(columns), tmp_path / "letters.parquet")
        reader = {"format": "parquet", "files": {"train": ["letters.parquet"]}, "id": "patient"}
        hold_out = {"dev": 0.2, "folds": 5, "by": "site"}
        keys = {
            **spec.model_dump(),
            "reader": {**reader, "hold_out": hold_out, "text": "text", "label": "label"},
        }
        spec = TaskSpec.model_validate(keys)
    sets = {
        number_documents(read_corpus(spec, tmp_path, which=FoldOfSeed(fold, 1)).tested).test_set
        for fold in folds_of(5)
        if fold is not None
    }
    assert len(sets) == 1


@pytest.mark.parametrize(
    ("kind", "metric", "labels", "reader"),
    [
        (
            "classification",
            "macro_auroc",
            ["0", "1"],
            {
                "format": "mimic-notes",
                "outcome": "mortality",
                "files": {"train": ["NOTEEVENTS.csv", "ADMISSIONS.csv"]},
            },
        ),
        (
            "ner",
            "entity_f1",
            ["problem", "test", "treatment"],
            {"format": "i2b2-2010", "files": {"train": ["train"]}},
        ),
    ],
)
def test_classes_of_readers_that_do_not_spell_them_are_spread(
    tmp_path: Path, kind: str, metric: str, labels: list[str], reader: dict[str, object]
) -> None:
    spec = TaskSpec.model_validate(
        {
            "name": "made",
            "title": "Made",
            "kind": kind,
            "domain": "clinical",
            "metric": metric,
            "labels": labels,
            "made": {"train": 120, "dev": 20, "test": 20},
            "reader": reader | {"hold_out": {"dev": 0.2, "folds": 5}},
        }
    )
    write_task(spec, tmp_path)
    parts = splits_of_folds(spec, tmp_path, seed=1)
    found = [Counter(label for e in part[Split.TEST] for label in labels_of(e)) for part in parts]
    for label in labels:
        counts = [each[label] for each in found]
        assert max(counts) - min(counts) <= max(3, 0.05 * max(counts))


def test_a_class_that_a_fold_does_not_learn_is_still_a_class(tmp_path: Path) -> None:
    rows = [*letters(29), {"text": "the only one", "label": "rare", "patient": "x", "site": "x"}]
    spec = task(tmp_path, rows)
    labels = {
        read_corpus(spec, tmp_path, which=FoldOfSeed(fold, 3)).labels
        for fold in folds_of(5)
        if fold is not None
    }
    assert labels == {("a", "b", "c", "rare")}


def test_more_folds_than_sites_are_refused(tmp_path: Path) -> None:
    spec = task(tmp_path, letters(60), folds=8, by="site")
    with pytest.raises(DataError, match="7 values of the column 'site' in train, and 8 folds") as raised:
        read_corpus(spec, tmp_path)
    assert raised.value.fix == "set hold_out.folds to 7 or less"


def test_two_sites_leave_nothing_for_dev_and_the_fix_is_one_that_works(tmp_path: Path) -> None:
    spec = task(tmp_path, sized("site", (20, 20)), folds=2, by="site")
    with pytest.raises(DataError, match="there is no example for dev") as raised:
        read_corpus(spec, tmp_path)
    assert raised.value.fix == "name files for dev in reader.files, and remove hold_out.dev"


def test_staging_checks_the_folds_of_the_seeds_of_the_sweep(tmp_path: Path) -> None:
    chance = random.Random(35)  # every fold of seed 0 has all classes, and not every one of seed 3
    sizes = (chance.randint(1, 5) for _ in range(30))
    rows = [
        {"text": f"letter {number} of {name}", "label": label, "patient": f"p{name}"}
        for name, size in enumerate(sizes)
        for number, label in enumerate(chance.choices(LABELS, [60, 30, 10], k=size))
    ]
    spec = task(tmp_path, rows, id="patient").model_copy(update={"metric": MetricName.MACRO_AUROC})
    request = StageRequest(cache_dir=str(tmp_path / "cache"), data_dir=str(tmp_path), tasks=(spec,))
    [accepted] = stage(request)
    [refused] = stage(request.model_copy(update={"seeds": (0, 3)}))
    assert accepted.problem is None
    assert "of seed 3 has no macro_auroc" in str(refused.problem)


def test_a_class_in_fewer_documents_than_folds_has_no_area(tmp_path: Path) -> None:
    rows = [*letters(40), *({"text": f"rare {n}", "label": "d", "patient": "", "site": ""} for n in range(3))]
    spec = task(tmp_path, rows).model_copy(update={"metric": MetricName.MACRO_AUROC})
    unscorable = inspect_task(spec, tmp_path)["unscorable"]
    assert "test has no macro_auroc: 1 of the 4 classes has no row in it ('d')" in unscorable["problem"]
    assert "lower hold_out.folds" in unscorable["fix"]


def test_an_inspection_counts_what_the_intervals_rest_on(tmp_path: Path) -> None:
    answer = inspect_task(task(tmp_path, letters(60, patients=20), id="patient"), tmp_path)
    assert (answer["folds"], answer["units"]) == (5, (20, "documents"))
    assert sum(split["examples"] for split in answer["splits"].values()) == 60


def test_a_model_of_another_task_has_no_test_part_here(tmp_path: Path) -> None:
    spec = task(tmp_path, letters(40))
    other = Exported.model_construct(
        task=spec.model_copy(update={"name": "other"}), fold=None, seed=1, use=None
    )
    own = Exported.model_construct(task=spec, fold=None, seed=1, use=None)
    for exported in (other, own):
        request = EvaluateRequest.model_construct(exported=exported, task=spec, data_dir=str(tmp_path))
        with pytest.raises(InputError, match="task letters: it has folds, and so no test part of its own"):
            score(request.model_copy(update={"folder": "model", "cache_dir": str(tmp_path)}))


@pytest.mark.parametrize(
    ("given_keys", "problem"),
    [
        ({"test": 0.2}, "expected test or folds, got both: 5 folds test every document"),
        ({"by": "site", "values": {"test": ["site 1"]}}, "expected values or folds, got both"),
    ],
)
def test_folds_beside_a_test_part_are_refused(given_keys: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        HoldOut.model_validate({"dev": 0.1, "folds": 5} | given_keys)


def test_a_fold_is_one_of_them() -> None:
    with pytest.raises(ValueError, match="there is no fold 6 of 5"):
        Fold(number=6, of=5)
