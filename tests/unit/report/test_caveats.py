"""Counts that change how a score is read, from records to the report, `status` and MLflow's runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder, task
from rich.console import Console

from orchestrator.cli.status.view import show_status, status_json
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.report import build_report, write_report
from orchestrator.report.recommendation.summary import sentences
from orchestrator.tracking.mlflow_runs import describe

NER = task("mentions", TaskKind.NER, invented=False)
CUT = {"examples": 8, "max_length": 128, "cut": 8, "mentions": 392, "mentions_cut": 272}
SAID_OF_CUT = (
    "8 of 8 test sentences are cut at 128 tokens; 272 of 392 mentions are beyond the cut, so recall cannot "
    "exceed 0.31 and F1 cannot exceed 0.47."
)


def built_of(root: Path, spec: TaskSpec, *outcomes: dict[str, Any]) -> LedgerBuilder:
    """A finished trial for each outcome."""
    built = LedgerBuilder(root)
    seeds = range(len(outcomes))
    recipe = Recipe(learning_rate=1e-4)
    trials = built.plan(["tiny"], ["general"], ["full"], tasks=[spec], seeds=seeds, recipe=recipe)
    for trial, outcome in zip(trials, outcomes, strict=True):
        splits = outcome.get("splits", {}).items()
        outcome = outcome | {"splits": {Split(s): SplitCounts.model_validate(c) for s, c in splits}}
        built.attempt(trial, Fate(quality=0.3, outcome=outcome))
    return built


def notes_of(built: LedgerBuilder) -> tuple[str, ...]:
    return build_report(built.ledger.sweep(), built.ledger.trials()).tasks[0].notes


def test_what_is_cut_is_in_every_report_in_status_and_in_mlflow(tmp_path: Path) -> None:
    built = built_of(tmp_path, NER, {"splits": {"test": CUT}})
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    assert SAID_OF_CUT in report.tasks[0].notes
    for kind, path in write_report(report, tmp_path / "report").items():
        if kind in ("html", "markdown", "json"):
            assert SAID_OF_CUT in path.read_text(encoding="utf-8"), kind
    assert "recall on “Mentions” cannot exceed 0.31" in " ".join(sentences(report))
    assert status_json(built.ledger)["caveats"] == {"mentions": [SAID_OF_CUT]}
    console = Console(record=True, width=300)
    show_status(built.ledger, console)
    assert f"mentions: {SAID_OF_CUT}" in console.export_text()
    [record] = built.ledger.trials()
    run = describe(record, built.ledger.sweep())
    assert run is not None
    assert run.tags["caveats"] == SAID_OF_CUT
    assert (run.finals["test_cut"], run.finals["test_mentions_cut"]) == (8, 272)


def test_rows_of_train_are_named_beside_contamination(tmp_path: Path) -> None:
    shared = {"examples": 12, "also_in_train": 6, "also_in_dev": 0, "ids": 3, "ids_also_in_train": 1}
    built = built_of(tmp_path, task("outcome"), {"splits": {"test": shared}})
    notes = notes_of(built)
    assert "6 of 12 test texts are also in train." in notes
    assert any(
        note.startswith("1 of 3 ids in the files of test is also in those of train: the same documents")
        for note in notes
    )
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    assert "6 of 12 test texts of “Outcome” are also in train" in " ".join(sentences(report))


def test_what_is_left_out_is_named_by_kind(tmp_path: Path) -> None:
    counts = {
        "examples": 8,
        "classes": 3,
        "absent_classes": 1,
        "skipped": {"the tag is not O, B-type or I-type": 2, "the token is empty": 1},
        "set_aside": {"overlapping": 12, "untyped": 2},
    }
    notes = notes_of(built_of(tmp_path, NER, {"splits": {"train": counts}}))
    assert "1 of 3 entity types has no mention in train, where no model can learn from one." in notes
    assert (
        "3 malformed records of train left out (on_bad_record: skip): 2 × the tag is not O, B-type or "
        "I-type; 1 × the token is empty." in notes
    )
    assert "14 annotations or records of train set aside: 12 × overlapping; 2 × untyped." in notes


def test_one_of_anything_is_told_in_the_singular(tmp_path: Path) -> None:
    counts = {"examples": 1, "max_length": 9, "cut": 1, "mentions": 1, "mentions_cut": 1, "also_in_train": 1}
    counts |= {
        "ids": 1,
        "ids_also_in_train": 1,
        "classes": 1,
        "absent_classes": 1,
        "set_aside": {"untyped": 1},
    }
    notes = notes_of(built_of(tmp_path, NER, {"splits": {"test": counts}}))
    for said in (
        "1 of 1 test sentence is also in train.",
        "1 of 1 id in the files of test is also in those of train",
        "1 of 1 test sentence is cut at 9 tokens; 1 of 1 mention is beyond the cut",
        "1 of 1 entity type has no mention in test.",
        "1 annotation or record of test set aside",
    ):
        assert any(note.startswith(said) for note in notes), said


def test_trials_that_differ_make_one_sentence_that_says_how_far(tmp_path: Path) -> None:
    less = CUT | {"max_length": 256, "cut": 3, "mentions_cut": 20}
    splits = [{"splits": {"test": counts, "train": counts}} for counts in (CUT, less)]
    assert [note for note in notes_of(built_of(tmp_path, NER, *splits)) if "cut at" in note] == [
        "3 to 8 of 8 test sentences are cut at 128 to 256 tokens; 20 to 272 of 392 mentions are beyond the "
        "cut, so recall cannot exceed 0.31 and F1 cannot exceed 0.47 where most are.",
        "3 to 8 of 8 train sentences are cut at 128 to 256 tokens; 20 to 272 of 392 mentions are beyond the "
        "cut, where no model learns from them.",
    ]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({}, []),
        ({"rows": {"test": 8}}, []),
        ({"rows": {"test": 8, "truncated_test": 0, "skipped_test": 0}}, []),
        (
            {"rows": {"test": 8, "truncated_test": 3, "skipped_test": 1}},
            [
                "3 of 8 test sentences are cut.",
                "1 malformed record of test left out (on_bad_record: skip).",
            ],
        ),
    ],
)
def test_records_of_before_say_what_they_counted_and_nothing_else(
    tmp_path: Path, outcome: dict[str, Any], said: list[str]
) -> None:
    built = built_of(tmp_path, NER, outcome)
    assert status_json(built.ledger)["caveats"].get("mentions", []) == said
    assert build_report(built.ledger.sweep(), built.ledger.trials()).tasks[0].doubts == (
        () if len(said) < 1 else ("3 of 8 test sentences of “Mentions” are cut",)
    )


def test_pairs_that_may_be_of_one_sentence_are_named_with_the_fix(tmp_path: Path) -> None:
    near = {"examples": 60, "near_train": 38}
    built = built_of(tmp_path, task("outcome"), {"splits": {"test": near, "dev": near | {"near_train": 1}}})
    assert notes_of(built)[:2] == (
        "38 of 60 test texts agree in most of their words with a train text: set `id` of the reader, so that "
        "the pairs of one sentence stay in one split.",
        "1 of 60 dev texts agrees in most of its words with a train text: set `id` of the reader, so that "
        "the pairs of one sentence stay in one split.",
    )
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    assert "38 of 60 test texts of “Outcome” agree in most of their words" in " ".join(sentences(report))
