"""A plan as a person and a program read it: hundreds of cells in a few lines, and nothing lost in JSON."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console
from virtual_sweeps import Project

from orchestrator.cli.plan_view import plan_json, show_plan
from orchestrator.planning import Plan

TUNE = {"trials": 12, "space": {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "rank": [4, 8]}}


def shown(plan: Plan) -> list[str]:
    out = io.StringIO()
    show_plan(plan, Console(file=out, width=400))
    return out.getvalue().splitlines()


def starting(plan: Plan, word: str) -> list[str]:
    return [line for line in shown(plan) if line.startswith(word)]


def test_refused_cells_stand_together_by_reason_with_their_number(tmp_path: Path) -> None:
    models = ["tiny", "base", "llama-2-7b"]
    rules = [{"match": {"model": "base", "entry": "full"}, "exclude": "too dear"}]
    keys: dict[str, Any] = {"models": models, "seeds": [1], "rules": rules}
    plan = Project(tmp_path).plan(**keys, tasks=["demo-outcome", "demo-ner"])
    refused = starting(plan, "refused")
    assert len(refused) == 2
    assert refused[0].startswith("refused 4 cells, say ")
    assert len(plan_json(plan)["refused"]) == sum(2 * 2 for _ in refused)


def test_backbones_that_saw_the_corpus_of_a_task_are_named_with_the_tasks(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(
        models=["base"], tasks=["mimic-mortality", "mimic-los", "demo-outcome"], methods=["full"]
    )
    assert starting(plan, "contaminated") == [
        "contaminated bio-clinicalbert read mimic-iii in its pretraining: mimic-mortality, mimic-los"
    ]
    assert plan_json(plan)["contaminated"] == [
        {"backbone": "bio-clinicalbert", "corpus": "mimic-iii", "tasks": ["mimic-mortality", "mimic-los"]}
    ]


def test_a_search_is_told_with_its_space_its_size_and_its_cost(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(methods=["full", {"name": "lora", "tune": TUNE}])
    [line] = starting(plan, "search")
    assert "lora-r8-tuned in 2 cells, at most 12 candidates each" in line
    assert "learning_rate 1e-05..0.01 (log), rank 4|8: 0 over, 24 candidates to run, about" in line
    assert "8 trials to run after 24 candidates of searches" in shown(plan)[-1]
    assert "of them for tuning" in shown(plan)[-1]
    found = plan_json(plan)
    assert [(s["left"], len(s["drawn"]), s["tuned"]) for s in found["searches"]] == [(12, 10, None)] * 2
    hours = sum(s["predicted_seconds"] for s in found["searches"]) / 3600
    assert abs(found["predicted"]["tuning_device_hours"] - hours) < 1e-9


def test_without_searches_nothing_is_said_of_tuning(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan()
    assert "tuning" not in "\n".join(shown(plan))
    assert plan_json(plan)["searches"] == []
    assert plan.predicted.tuning_device_hours == 0
