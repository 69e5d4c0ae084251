"""The worked example of docs/how-to/own-data.md, run: tasks of one's own, in YAML only."""

from __future__ import annotations

from collections.abc import Callable

from own_data import write_example
from workshop import Workshop


def test_the_snippets_of_the_readme_run(new_workshop: Callable[[], Workshop]) -> None:
    """As they stand, but for a smaller backbone, one seed and one epoch."""
    workshop = new_workshop()
    sweep = write_example(workshop.root)
    small = ["models=mini", "domains=general", "catalogues=[mine,catalogue]", "seeds=[1]", "recipe.epochs=1"]
    report = workshop.json("run", sweep, *small, "concurrency=1", "--launcher", "local")
    names = ["my-ner", "my-triage", "my-follow-up", "my-relation"]
    assert [task["task"] for task in report["tasks"]] == names
    for task in report["tasks"]:
        methods = [point["method"] for point in task["points"]]
        assert sorted(methods) == ["full", "lora-r4", "lora-r8"]
        assert {point["state"] for point in task["points"]} == {"finished"}
