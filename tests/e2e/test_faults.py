"""What happens when things go wrong: a killed driver, a second driver, wrong input."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from driver_processes import started_by
from workshop import PATIENCE, Workshop, stop_midway, wait_for

from orchestrator.contracts.layout import ATTEMPTS

pytestmark = pytest.mark.e2e


def is_agent(process: psutil.Process) -> bool:
    """Ray's agents of a node touch nothing of a sweep, and try for 60 seconds to tell a dead head that their
    node is dead."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).startswith(("ray::DashboardAgent", "ray::RuntimeEnvAgent"))
    return False


def all_ended(processes: Iterable[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(list(processes), timeout=PATIENCE)
    assert [process.name() for process in alive] == []


def test_a_killed_driver_loses_nothing(new_workshop: Callable[[], Workshop]) -> None:
    """kill -9 in mid-sweep, then the same command: finished trials stand, unfinished ones resume."""
    workshop = new_workshop()
    sweep = workshop.write(
        recipe={"epochs": 8, "batch_size": 16},
        domains=["clinical"],
        methods=[{"name": "full", "learning_rate": 1e-3}],
        seeds=[1, 2],
        concurrency=2,
    )
    trials = workshop.sweeps / "mini" / "trials"
    with workshop.driving("run", sweep) as driver:
        wait_for(workshop.outcomes, "a finished trial")

        def held() -> bool:
            attempts = [events.parent for events in trials.glob(f"{ATTEMPTS}/events.jsonl")]
            processes = [process.pid for process in started_by(driver)]
            return any(stop_midway(attempt, processes) for attempt in attempts)

        wait_for(held, "another one under way")
        started = started_by(driver)
        agents = [process for process in started if is_agent(process)]
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        all_ended(process for process in started if process not in agents)
    before = workshop.outcomes()
    workshop.frontier("run", sweep)
    all_ended(agents)
    after = workshop.outcomes()
    assert {attempt: after[attempt] for attempt in before} == before
    finished = [outcome for outcome in after.values() if outcome["state"] == "finished"]
    planned = {f"mini/clinical/full/{task}/seed-{s}" for task in ("mini-ner", "mini-outcome") for s in (1, 2)}
    assert Counter(outcome["trial"] for outcome in finished) == Counter(planned)
    resumed = [outcome for outcome in finished if outcome["resumed_from_step"]]
    assert resumed
    assert Counter(tags["frontier.trial"] for tags in workshop.runs()) == Counter(
        o["trial"] for o in finished
    )


def test_a_second_driver_is_refused(finished: Workshop) -> None:
    from orchestrator.tracking.ledger import Ledger

    with Ledger(finished.sweeps / "mini").lock():
        done = finished.frontier("run", "mini.yaml", expect=6)
    assert str(os.getpid()) in done.stderr
    assert "Traceback" not in done.stderr


def test_five_mistakes_are_five_complaints(new_workshop: Callable[[], Workshop], tmp_path: Path) -> None:
    workshop = new_workshop()
    file = workshop.write(
        models=["minni"],
        seeds=["x"],
        recipe={"epochs": 0, "learning_rat": 1.0},
        rules=[{"match": {"domain": "legal"}, "exclude": "not ours"}],
    )
    done = workshop.frontier("run", file, expect=2)
    for key, value, fix in [
        ("models.0", "minni", "mini"),
        ("seeds.0", "x", "whole number"),
        ("recipe.epochs", "0", "greater"),
        ("recipe.learning_rat", "learning_rat", "learning_rate"),
        ("rules.0.match.domain", "legal", "clinical"),
    ]:
        problem = next((c for c in done.stderr.split("\n  m") + done.stderr.split("\n  ") if key in c), "")
        assert value in done.stderr, key
        assert key in problem, done.stderr
        assert fix in done.stderr, key
    assert "mini.yaml" in done.stderr
    assert not (workshop.sweeps / "mini").exists()


def test_missing_data_stops_a_run_but_not_a_plan(new_workshop: Callable[[], Workshop]) -> None:
    workshop = new_workshop()
    file = workshop.write(tasks=["ncbi-disease"])
    assert len(workshop.json("plan", file)["missing"]) == 1
    done = workshop.frontier("run", file, "budget.gpu_hours=1", expect=2)
    assert "data_dir" in done.stderr
    assert "use budget.core_hours" in done.stderr
    assert not (workshop.sweeps / "mini").exists()


def test_a_broken_row_stops_the_sweep_before_its_first_trial(new_workshop: Callable[[], Workshop]) -> None:
    """The message names file, line and fault, and not the text; exit code 2."""
    workshop = new_workshop()
    data = workshop.root / "data"
    data.mkdir()
    for split in ("train", "dev", "test"):
        (data / f"{split}.tsv").write_text(f"secretword\tO\n\n{split}\tB-problem\n")
    (data / "train.tsv").write_text("secretword\tO\nsecretword B-problem\n")
    (workshop.root / "catalogue/tasks/own.yaml").write_text(
        "title: Own\nkind: ner\ndomain: clinical\nmetric: entity_f1\nlabels: [problem]\n"
        "reader: {format: conll, files: {train: [train.tsv], dev: [dev.tsv], test: [test.tsv]}}\n"
    )
    file = workshop.write(
        tasks=["own", "mini-outcome"],
        domains=["clinical"],
        methods=["head-only"],
        seeds=[1],
        data_dir=str(data),
    )
    done = workshop.frontier("run", file, "--launcher", "local", expect=2)
    assert "train.tsv, line 2" in done.stderr
    assert "secretword" not in done.stdout + done.stderr
    assert workshop.outcomes() == {}


def test_a_trial_that_fails_fails_no_other_and_the_run_ends_with_1(
    new_workshop: Callable[[], Workshop],
) -> None:
    workshop = new_workshop()
    methods = [{"name": "full", "learning_rate": 1e30}, {"name": "head-only", "learning_rate": 1e-2}]
    file = workshop.write(tasks=["mini-outcome"], domains=["clinical"], methods=methods, seeds=[1])
    done = workshop.frontier("run", file, "--launcher", "local", expect=1)
    states = {outcome["trial"].split("/")[2]: outcome for outcome in workshop.outcomes().values()}
    assert states["head-only"]["state"] == "finished"
    assert states["full"]["failure"]["kind"] == "DIVERGED"
    assert "DIVERGED" in done.stdout


def test_an_attempt_that_takes_too_long_is_ended_and_continued_by_the_next_run(
    new_workshop: Callable[[], Workshop],
) -> None:
    workshop = new_workshop()
    few = {"tasks": ["mini-outcome"], "domains": ["clinical"], "methods": ["head-only"], "seeds": [1]}
    file = workshop.write(**few, attempt_hours=1e-5, retries=1)
    done = workshop.frontier("run", file, "--launcher", "local", expect=1)
    kinds = [outcome["failure"]["kind"] for outcome in workshop.outcomes().values()]
    assert kinds == ["TIMEOUT", "TIMEOUT"]
    assert "raise attempt_hours" in done.stdout
    workshop.frontier("run", file, "attempt_hours=1", "--launcher", "local")
    assert [outcome["state"] for outcome in workshop.outcomes().values()][-1] == "finished"


def test_ctrl_c_says_how_to_go_on(new_workshop: Callable[[], Workshop]) -> None:
    workshop = new_workshop()
    sweep = workshop.write(recipe={"epochs": 400, "batch_size": 4}, domains=["clinical"], tasks=["mini-ner"])
    with workshop.driving("run", sweep, "--launcher", "local", stderr=subprocess.PIPE) as driver:
        trials = workshop.sweeps / "mini" / "trials"
        wait_for(lambda: any(trials.glob(f"{ATTEMPTS}/checkpoint/step-*")), "a checkpoint")
        driver.send_signal(signal.SIGINT)
        _, told = driver.communicate(timeout=PATIENCE)
        assert driver.returncode == 130
    assert "the same command continues" in told
    assert "Traceback" not in told
    bills = list(trials.glob(f"{ATTEMPTS}/bill.json"))
    assert bills
    assert {item["reason"] for item in workshop.json("plan", sweep)["to_run"]} >= {"unfinished"}
