"""The task file and the sweep file, with a comment beside each value that the user may want to change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from orchestrator.cli.init.models import Start
from orchestrator.cli.init.study import Study
from orchestrator.contracts.vocabulary import Split

_MEANS = {  # what a key of the task is for
    "domain": "what the texts are",
    "metric": "chooses the best checkpoint, and is the quality in the report",
    "max_length": "tokens; longer texts are cut, and `frontier task inspect` counts them",
    "negative_label": 'the class that means "no relation"',
    "data": "trains only where `frontier doctor --strict` finds no problem",
}
_READER_MEANS = {
    "files": "below data_dir of the sweep",
    "dataset": "of the hub; `frontier stage` locks its files",
    "revision": "the commit that init looked at",
    "id": "rows of one id stay in one split, and count as one in the statistics",
    "separator": "between columns",
}
_LIKE_A_NUMBER = re.compile(r"[-+.]?[0-9][0-9a-f_.:+-]*", re.IGNORECASE)
_SENSITIVE = (
    "# data: sensitive  # if these are texts of patients: trains only if `frontier doctor --strict` passes"
)


def task_text(task: Mapping[str, Any], study: Study) -> str:
    """Return the task file. Its comments are counts and reasons, never text."""
    lines = ["# Written by `frontier init`. Each value can be changed; `frontier plan` checks the file."]
    for key, value in task.items():
        if key != "reader":
            lines.append(_line(key, value, _why(key, study) or _MEANS.get(key, "")))
            continue
        lines.append("reader:")
        for inner, setting in value.items():
            of_hub = inner == "files" and "dataset" in value
            means = "splits of the data set" if of_hub else _READER_MEANS.get(inner, "")
            means = _hold_out(study) if inner == "hold_out" else means
            lines.append("  " + _line(inner, setting, means))
    if "data" not in task:
        lines.append(_SENSITIVE)
    return "\n".join(lines) + "\n"


def sweep_text(
    name: str,
    title: str,
    paths: Sequence[str],
    start: Start,
    good_enough: Mapping[str, float],
    gpu: bool,
    unit: str | None = None,
) -> str:
    """Return the sweep file beside the folder `tasks`. `paths`: data_dir ("" for none), and further
    catalogues. `unit`: of good_enough, where it is no share of 1."""
    resources = "auto" if gpu else "{cpus: 1}"
    lines = [
        "# Written by `frontier init`. `frontier plan` shows what it costs before anything is trained.",
        _line("name", name, "also the folder with its results"),
        _line("question", f"Which is the cheapest model that is good enough for {title}?"),
        _line("catalogues", [".", *paths[1:]], "the folder that holds tasks/"),
        *([_line("data_dir", paths[0], "the folder with the data")] if paths[0] else []),
        _line("models", list(start.models), f"{start.why}; `frontier list models` shows all"),
        _line("domains", list(start.domains), "what the models were pretrained on, not what your texts are"),
        "methods:",
        *(f"  - {_flow(method)}" for method in start.methods),
        _line("tasks", [name]),
        _line("seeds", [1, 2, 3], "three training runs of each cell show how much a score varies"),
        _line(
            "recipe",
            {"epochs": start.epochs, "batch_size": start.batch_size},
            "enough steps to learn; raise epochs if the report says still rising",
        ),
        _line("good_enough", dict(good_enough), f"in {unit}" if unit else "0.01 is one point of the metric"),
        _line("resources", None, "what one trial gets").replace("null", resources),
    ]
    return "\n".join(lines) + "\n"


def _hold_out(study: Study) -> str:
    if study.folds is not None:
        tested = "each fold is tested once per seed, by training on the others"
        return tested if Split.DEV in study.files else f"{tested}; dev is a share of these"
    shares = "shares of the ids, taken by a hash: the same on every machine"
    instead = "{folds: 5}" if Split.DEV in study.files else "{dev: 0.2, folds: 5}"
    return f"{shares}; {instead} would test every row" if study.may_have_folds else shares


def _why(key: str, study: Study) -> str:
    answer = study.settled.get(key)
    return answer.why if answer is not None and key == "kind" else ""


def _line(key: str, value: object, comment: str = "") -> str:
    return f"{key}: {_flow(value)}" + (f"  # {comment}" if comment else "")


def _flow(value: object) -> str:
    """Return a value as YAML on one line. Texts that look like numbers, as commits may, are quoted."""
    if isinstance(value, str) and _LIKE_A_NUMBER.fullmatch(value):
        return json.dumps(value)
    text: str = yaml.safe_dump(
        [_plain(value)], default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False
    )
    return text.strip()[1:-1]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
