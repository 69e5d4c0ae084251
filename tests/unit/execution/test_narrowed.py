"""A sweep narrowed on the command line: what it leaves out keeps its place in every view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from virtual_sweeps import Board, Project

from orchestrator.cli.results.ledger import ledger_json
from orchestrator.cli.results.report import build_and_write
from orchestrator.cli.status.view import status_json
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report import report_json
from orchestrator.tracking.ledger import Ledger

METHODS = [{"name": "full", "learning_rate": 1e-3}, {"name": "lora", "rank": [4, 8], "learning_rate": 4e-3}]
TUNE = {"trials": 2, "space": {"learning_rate": [1e-4, 1e-3]}}


def whole(tmp_path: Path, **keys: Any) -> Project:
    project = Project(tmp_path, keys={"methods": METHODS} | keys)
    project.run()
    return project


def views(project: Project) -> dict[str, Any]:
    """What status, ledger and report say, less the time at which the driver wrote."""
    ledger = Ledger(project.sweep_directory)
    report = report_json(build_and_write(ledger)[0])
    return {
        "status": status_json(ledger),
        "ledger": ledger_json(ledger),
        "report": {
            key: report[key] for key in ("tasks", "stale", "unfinished", "failed", "refused", "totals")
        },
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["methods=full"],
        ["methods=[lora-r8]"],
        ['methods="lora"'],
        ["domains=clinical"],
        ["seeds=1"],
        ["methods=full", "domains=[general]", "seeds=[2]"],
        ["tasks=demo-outcome", "models=demo-tiny"],
        ["methods={name: full, learning_rate: 1e-3}"],
    ],
)
def test_a_part_that_is_up_to_date_changes_no_view(tmp_path: Path, arguments: list[str]) -> None:
    project = whole(tmp_path)
    before = views(project)
    plan = project.plan(*arguments)
    assert not plan.to_run
    board = Board([])
    project.run(plan=plan, board=board)
    assert views(project) == before
    assert project.states() == {TrialState.FINISHED: 12}
    assert len(board.states) == 12
    assert {state for _, state in board.states} == {TrialState.FINISHED}


def test_only_what_an_argument_changes_is_stale(tmp_path: Path) -> None:
    project = whole(tmp_path)
    plan = project.plan("methods=full", "recipe.epochs=7")
    assert {item.trial.cell.method for item in plan.stale} == {"full"}
    assert {trial.cell.method for trial in plan.kept} == {"lora-r4", "lora-r8"}
    project.run(plan=plan)
    assert project.states() == {TrialState.FINISHED: 12}
    record = Ledger(project.sweep_directory).sweep()
    assert {recipe.epochs for cell, recipe in record.recipes.items() if "/full/" in cell} == {7}
    assert {recipe.epochs for cell, recipe in record.recipes.items() if "/lora-" in cell} == {5}


def test_seeds_of_one_cell_share_its_settings(tmp_path: Path) -> None:
    project = whole(tmp_path)
    project.run(plan=project.plan("methods=full", "seeds=1", "recipe.epochs=7"))
    assert project.states() == {TrialState.FINISHED: 10, TrialState.STALE: 2}


def test_parts_add_up_to_the_whole(tmp_path: Path) -> None:
    project = Project(tmp_path, keys={"methods": METHODS})
    for part in ("methods=lora-r4", "methods=full", "methods=lora-r8"):
        project.run(plan=project.plan(part))
    assert project.states() == {TrialState.FINISHED: 12}
    assert not project.plan().to_run


def test_what_has_not_begun_is_not_kept(tmp_path: Path) -> None:
    project = Project(tmp_path, keys={"methods": METHODS})
    project.run(plan=project.plan("methods=full"))
    assert project.states() == {TrialState.FINISHED: 4}
    kept, done = project.plan("methods=lora").kept, project.plan("methods=full").trials
    assert [trial.name for trial in kept] == [trial.name for trial in done]


def test_the_whole_file_says_what_the_sweep_is(tmp_path: Path) -> None:
    project = whole(tmp_path)
    project.run(plan=project.plan("methods=full,lora,ia3"))
    assert project.states() == {TrialState.FINISHED: 16}
    plan = project.plan()
    assert plan.kept == ()
    project.run(plan=plan)
    assert project.states() == {TrialState.FINISHED: 12}


def test_searches_that_are_left_out_stay_tuned_and_are_not_superseded(tmp_path: Path) -> None:
    project = whole(tmp_path, methods=["full", {"name": "lora", "tune": TUNE}])
    before = views(project)
    project.run(plan=project.plan("methods=full"))
    assert views(project) == before
    project.run(plan=project.plan("methods=lora"))
    assert views(project) == before


def test_results_of_other_code_that_are_kept_are_counted(tmp_path: Path) -> None:
    project = whole(tmp_path)
    plan = project.plan("methods=full")
    assert plan.outdated == []
    newer = replace(plan, inputs=plan.inputs.model_copy(update={"code": "newer"}))
    assert len(newer.outdated) == 8
