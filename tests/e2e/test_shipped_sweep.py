"""A sweep that comes with the project, end to end at smoke size: a small part of its grid."""

from __future__ import annotations

from collections.abc import Callable

from workshop import Workshop

from orchestrator.config.catalogue import builtin_catalogue

PAPER = builtin_catalogue() / "sweeps" / "paper.yaml"


def test_a_part_of_the_study_runs_at_smoke_size(new_workshop: Callable[[], Workshop]) -> None:
    """One task of each kind, through the readers of the real corpora, on the models of two families."""
    part = ("models=[tiny,llama-2-7b]", "domains=general", "methods=lora", "seeds=[12]")
    tasks = "tasks=[mimic-mortality,i2b2-2010-re,i2b2-2014-deid]"
    report = new_workshop().json("run", PAPER, *part, tasks, "--smoke", "--launcher", "local")
    assert [task["task"] for task in report["tasks"]] == ["mimic-mortality", "i2b2-2010-re", "i2b2-2014-deid"]
    points = [point for task in report["tasks"] for point in task["points"]]
    assert {point["state"] for point in points} == {"finished"}
    assert {(p["model"], p["method"]) for p in points} == {
        ("tiny", "lora-r8"),
        ("llama-2-7b", "lora-r16-alpha32"),
    }
