"""From a data file to a frontier with nothing written by hand: init, plan, run, report for each kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from workshop import Workshop

KINDS = ("letters.csv", "drugs.tsv", "causes.jsonl", "codes.csv", "stays.csv")
METRICS = ("macro_f1", "entity_f1", "positive_micro_f1", "micro_f1", "mae")
FAST = ("methods=full", "seeds=1", "recipe.epochs=1", "domains=general", "concurrency=1")


def letters() -> Iterator[str]:
    yield "patient;letter;urgency"
    for n in range(60):
        urgency = ("routine", "soon", "urgent")[n % 3]
        yield f"P{n // 2};Invented letter {n}, please see this person, it is {urgency};{urgency}"


def drugs() -> Iterator[str]:
    for n in range(60):
        yield from (f"Patient{n}\tO", "takes\tO", ("aspirin", "statins")[n % 2] + "\tB-Drug", "daily\tO", "")


def causes() -> Iterator[str]:
    for n in range(80):
        verb, label = (("gave", "causes"), ("and", "none"))[n % 2]
        words = " ".join(f"w{(n * 7 + k) ** 2 % 997}" for k in range(6))  # else they pass for pairs of one
        yield json.dumps({"sentence": f"{words} @drug$ {verb} @complaint$ .", "relation": label})


def codes() -> Iterator[str]:
    yield "patient,letter,codes"
    for n in range(80):
        given = [code for code, every in {"I10": 2, "E11": 3, "J45": 5}.items() if n % every == 0]
        yield f"P{n // 2},Invented letter {n} about {' and '.join(given) or 'nothing'},{'|'.join(given)}"


def stays() -> Iterator[str]:
    yield "patient,letter,days"
    for n in range(80):
        kind, days = (("short", 1), ("medium", 4), ("long", 12))[n % 3]
        yield f"P{n // 2},Invented letter {n} about a {kind} stay in a ward,{days + n / 100}"


def write_files(root: Path) -> None:
    for name, content in zip(KINDS, (letters(), drugs(), causes(), codes(), stays()), strict=True):
        (root / name).write_text("\n".join(content) + "\n")


def answers_codes(workshop: Workshop, point: dict[str, Any]) -> None:
    answer = answer_of(workshop, "codes", "Invented letter about I10 and E11")
    assert set(answer["labels"]) <= {"I10", "E11", "J45"} == set(answer["probabilities"])
    scored = workshop.json("evaluate", "model", "codes", "data_dir=.", "--catalogue", "codes")
    assert scored["same"] is True
    assert scored["test"]["micro_f1"]["value"] == point["quality"]


def answers_days(workshop: Workshop, point: dict[str, Any]) -> None:
    page = (workshop.sweeps / "stays" / "report" / "report.md").read_text()
    error = -point["quality"]  # quality is oriented: higher is better
    assert "mean absolute error in days" in page
    assert f"{error:.3f}" in page
    answer = answer_of(workshop, "stays", "Invented letter about a long stay")
    assert set(answer) == {"row", "value", "cut"}
    scored = workshop.json("evaluate", "model", "stays", "data_dir=.", "--catalogue", "stays")
    assert scored["same"] is True
    assert scored["test"]["mae"] == scored["recorded"]["mae"]


def answer_of(workshop: Workshop, name: str, letter: str) -> Any:
    """Return what the exported model of a sweep's only cell answers."""
    workshop.frontier("export", name, f"mini/general/full/{name}", "--seed", "1", "--out", "model")
    (workshop.root / "new.csv").write_text(f"letter\n{letter}\n")
    workshop.frontier("predict", "model", "new.csv", "--text", "letter", "--out", "answers.jsonl")
    return json.loads((workshop.root / "answers.jsonl").read_text())


def check_each_letter_was_tested(workshop: Workshop, point: dict[str, Any]) -> None:
    """The score of three folds is over all letters; a model of one knows which letters it has not seen."""
    assert (point["folds"], point["seeds"]) == (3, 1)
    assert "3 folds" in (workshop.sweeps / "letters" / "report" / "report.md").read_text()
    trials = workshop.sweeps / "letters" / "trials" / "mini" / "general" / "full" / "letters"
    outcomes = [
        json.loads(path.read_text()) for path in trials.glob("seed-1-fold-*/attempt-001/outcome.json")
    ]
    assert sum(outcome["rows"]["test"] for outcome in outcomes) == 60
    answer_of(workshop, "letters", "Invented letter that is urgent")
    scored = workshop.json("evaluate", "model", "letters", "data_dir=.", "--catalogue", "letters")
    assert scored["same"] is True
    assert scored["examples"] in {outcome["rows"]["test"] for outcome in outcomes}


FLAGS = {"letters.csv": ("--folds", "3"), "stays.csv": ("--unit", "days", "--within", "0.5")}
ANSWERS = {"codes.csv": answers_codes, "letters.csv": check_each_letter_was_tested, "stays.csv": answers_days}


@pytest.mark.parametrize(
    ("file", "metric"),
    list(zip(KINDS, METRICS, strict=True)),
    ids=KINDS,
)
def test_a_file_of_ones_own_becomes_a_frontier(
    new_workshop: Callable[[], Workshop], file: str, metric: str
) -> None:
    """As printed, but for one method, seed and epoch, and the smallest backbone. Models that give labels or a
    number then answer, and score as in the sweep; `test_export` has a model of the other kinds."""
    workshop = new_workshop()
    write_files(workshop.root)
    flags = ("--catalogue", "catalogue", "--model", "mini", *FLAGS.get(file, ()))
    done = workshop.frontier("init", file, *flags)
    name = file.partition(".")[0]
    commands = [line.split()[1:] for line in done.stdout.splitlines()[-2:]]
    assert commands == [["plan", f"{name}/sweep.yaml"], ["run", f"{name}/sweep.yaml"]]
    plan = workshop.json(*commands[0], *FAST)
    assert plan["forecast"]["device_hours"] > 0
    [task] = workshop.json(*commands[1], *FAST, "--launcher", "local")["tasks"]
    assert (workshop.sweeps / name / "report" / "report.html").is_file()
    assert task["metric"] == metric
    [point] = task["points"]
    assert point["state"] == "finished"
    if file in ANSWERS:
        ANSWERS[file](workshop, point)
