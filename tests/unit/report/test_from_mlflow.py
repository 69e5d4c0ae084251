"""The report of a sweep from MLflow alone, beside that from its records."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder, task

from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.readers import HoldOut, TableReader
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import ChangedData
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, Signature, Split, TaskKind
from orchestrator.errors import ConfigError
from orchestrator.report import build_report, report_json
from orchestrator.report.from_mlflow import NOTICE, OF_FOLDS, report_from_mlflow
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.mlflow_reader import read_experiment
from orchestrator.tracking.mlflow_view import sync
from orchestrator.tracking.tracking_uri import quiet_environment

# What MLflow cannot know, as fields of report.json.
UNKNOWN = {
    "summary",  # how many trials were planned
    "notices",  # one more
    "results_until",  # MLflow rounds to milliseconds
    "refused",
    "unfinished",
    "failed.message",  # in the note of the run, as text
    "failed.places",
    "failed.attempts",
    "tasks.points",  # one fewer for each refused cell
    "tasks.answers",  # they count the seeds that have not begun
    "tasks.claims.claims.sentence",  # likewise
    "tasks.refusals",
    "tasks.note",  # with the counts of classes, which are labels
    "totals.trials.new",
    "totals.refused_cells",
    "totals.attempts",
    "totals.spending.superseded_device_hours",
    "totals.spending.unexplained_device_hours",
    "phases",  # of the attempts before the last one
    "phases.device_hours",
    "phases.share",
}


@pytest.fixture
def uri(tmp_path: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)
    return f"sqlite:///{shutil.copy(mlflow_store, tmp_path)}"


def differences(ours: Any, theirs: Any, key: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours.keys() | theirs.keys():
            yield from differences(ours.get(name), theirs.get(name), f"{key}.{name}".strip("."))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            yield from differences(one, other, key)
    elif isinstance(ours, float) and isinstance(theirs, float):
        yield from [] if ours == pytest.approx(theirs, rel=1e-9) else [key]
    elif ours != theirs:
        yield key


def both(ledger: Ledger, uri: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """From the records, and from MLflow."""
    sync(ledger, uri)
    sweep = ledger.sweep()
    records = build_report(sweep, ledger.trials(), chain(ledger.candidates(), ledger.removed()))
    view = report_from_mlflow(read_experiment(uri, sweep.name), sweep.name)
    return report_json(records), report_json(view)


def test_mlflow_gives_the_report_of_the_records_field_by_field(tmp_path: Path, uri: str) -> None:
    built = LedgerBuilder(tmp_path, "whole")
    tasks = [task("triage", invented=False), task("mentions", TaskKind.NER)]
    built.plan(domains=["general"], tasks=tasks, seeds=[11, 12])
    built.ledger.write_sweep(built.sweep.model_copy(update={"good_enough": SweepTarget(within=0.03)}))
    built.finish_all()
    records, view = both(built.ledger, uri)
    rounded = {"results_until", "totals.spending.unexplained_device_hours"}
    found = {key for key in differences(records, view) if not key.startswith("phases")}
    assert found - rounded == {"notices"}
    assert view["notices"][0] == NOTICE
    assert [p["frontier"] for t in view["tasks"] for p in t["points"]].count(True) >= 2


def test_mlflow_knows_which_results_ended_while_the_data_changed(tmp_path: Path, uri: str) -> None:
    built = LedgerBuilder(tmp_path, "changed")
    built.plan(domains=["general"], seeds=[11, 12])
    built.finish_all()
    ends = [record.outcome.ended_at for record in built.ledger.trials()]
    change = ChangedData(task="outcome", since=min(ends) - 1, until=max(ends) + 1)
    built.ledger.write_sweep(built.sweep.model_copy(update={"changed_data": (change,)}))
    records, view = both(built.ledger, uri)
    assert f"{len(ends)} results may be of other rows than planned" in view["tasks"][0]["note"]
    assert view["tasks"][0]["note"] == records["tasks"][0]["note"]
    [*runs] = [run for run in read_experiment(uri, "changed").runs if "tags.seed" in run.values]
    assert all("1 result may be of other rows" in run.values["tags.caveats"] for run in runs)


def test_folds_are_told_apart_and_their_scores_are_means(tmp_path: Path, uri: str) -> None:
    built = LedgerBuilder(tmp_path, "folds")
    reader = TableReader(
        format="csv", files={Split.TRAIN: ("a.csv",)}, text="t", label="l", hold_out=HoldOut(dev=0.2, folds=2)
    )
    letters = task("letters", invented=False).model_copy(update={"reader": reader})
    for place, trial in enumerate(built.plan(["tiny"], ["general"], ["full"], [letters], [11, 12])):
        built.attempt(trial, Fate(quality=0.6 + 0.1 * place))
    records, view = both(built.ledger, uri)
    assert set(differences(records, view)) - {"results_until"} <= UNKNOWN
    assert view["notices"][:2] == [NOTICE, OF_FOLDS]
    [point] = view["tasks"][0]["points"]
    assert (point["folds"], point["seeds"], point["quality"]) == (2, 2, pytest.approx(0.75))


def test_of_a_sweep_with_failures_mlflow_lacks_what_is_listed_and_nothing_else(
    tmp_path: Path, uri: str
) -> None:
    built = LedgerBuilder(tmp_path, "failures")
    refused = {Cell(model="mini", domain="general", method="lora-r8", task="outcome"): "does not fit"}
    trials = built.plan(["tiny", "mini"], ["general"], refused=refused)
    for number, trial in enumerate(trials[:-1]):
        if number == 0:
            built.attempt(trial, Fate(failure=FailureKind.OUT_OF_MEMORY))
        if number == 1:
            built.attempt(trial, Fate(failure=FailureKind.DIVERGED))
            continue
        collapsed = {"signature": Signature.COLLAPSED} if number == 2 else {}
        built.attempt(trial, Fate(quality=0.6 + 0.01 * number, seconds=50 + 7 * number, outcome=collapsed))
    records, view = both(built.ledger, uri)
    assert {key for key in differences(records, view) if key not in UNKNOWN} == set()
    scored = [p for p in records["tasks"][0]["points"] if p["state"] != "refused"]
    assert set(differences(scored, view["tasks"][0]["points"])) == {"reason", "state", "planned_seeds"}


def test_a_run_beside_its_replacement_and_one_that_is_half_written_count_for_nothing(
    tmp_path: Path, uri: str
) -> None:
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "crashed")
    [trial] = built.plan(["tiny"], ["general"], ["full"], seeds=[11])
    built.attempt(trial, Fate(failure=FailureKind.OUT_OF_MEMORY))
    sync(built.ledger, uri)
    client = MlflowClient(tracking_uri=uri)
    [failed] = [run for run in read_experiment(uri, "crashed").runs if run.values.get("tags.failure")]
    built.attempt(trial, Fate(quality=0.8))
    sync(built.ledger, uri)
    client.restore_run(failed.identity)  # as a crash leaves it before the old run goes
    experiment = client.get_experiment_by_name("crashed").experiment_id
    half = {"frontier.trial": trial.name, "frontier.kind": "trial", "state": "finished"}
    client.create_run(experiment, tags=half)
    report = report_from_mlflow(read_experiment(uri, "crashed"), "crashed")
    [point] = report.tasks[0].points
    assert point.quality is not None
    assert (point.quality.mean, point.planned_seeds) == (0.8, 1)
    assert not report.failed


def test_of_cells_that_left_the_grid_only_the_cost_counts(tmp_path: Path, uri: str) -> None:
    built = LedgerBuilder(tmp_path, "smaller")
    built.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[11, 12])
    built.finish_all()
    sync(built.ledger, uri)
    built.plan(["tiny"], ["general"], ["full"], seeds=[11, 12])
    records, view = both(built.ledger, uri)
    assert {key for key in differences(records, view) if key not in UNKNOWN} == set()
    assert [point["method"] for point in view["tasks"][0]["points"]] == ["full"]
    superseded = [spent["superseded_device_hours"] for spent in view["totals"]["spending"]]
    assert superseded == pytest.approx([2 * 60 / 3600])
    assert sync(built.ledger, uri).published == 0
    built.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[11, 12])
    _, view = both(built.ledger, uri)
    assert {point["method"] for point in view["tasks"][0]["points"]} == {"full", "lora-r8"}


def test_a_report_leaves_out_the_runs_of_another_sweep_with_the_same_name(tmp_path: Path, uri: str) -> None:
    theirs, mine = (LedgerBuilder(tmp_path / person, "shared") for person in ("theirs", "mine"))
    for built, method in ((theirs, "lora-r8"), (mine, "full")):
        built.plan(["tiny"], ["general"], [method], seeds=[11])
        built.finish_all()
        sync(built.ledger, uri)
    report = report_from_mlflow(read_experiment(uri, "shared"), "shared")
    assert [point.cell.method for point in report.tasks[0].points] == ["full"]


def test_trials_that_shared_a_gpu_cost_what_their_calibration_says(tmp_path: Path, uri: str) -> None:
    built = LedgerBuilder(tmp_path, "shared-gpu")
    half = Resources(gpus=0.5)
    trials = built.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[11, 12], resources=half)
    alone = Standalone(device_type="NVIDIA A10G", step_seconds=2.0, other_seconds=9.0, calibrated_steps=9)
    calibrated = {trials[0].cell.name: alone}
    built.ledger.write_sweep(built.sweep.model_copy(update={"standalone": calibrated}))
    for trial in trials:
        built.attempt(trial, Fate(quality=0.7, device_type="NVIDIA A10G"))
    records, view = both(built.ledger, uri)
    assert {key for key in differences(records, view) if key not in UNKNOWN} == set()
    costs = {point["method"]: point["device_hours"] for point in view["tasks"][0]["points"]}
    assert costs["full"] is not None
    assert costs["lora-r8"] is None


def test_runs_that_somebody_changed_beyond_reading_are_refused(tmp_path: Path, uri: str) -> None:
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "changed")
    built.plan(["tiny"], ["general"], ["full"], seeds=[11])
    built.finish_all()
    sync(built.ledger, uri)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("changed").experiment_id
    [run] = client.search_runs([experiment], "tags.state = 'finished' and tags.model = 'tiny'")
    client.set_tag(run.info.run_id, "state", "better")
    with pytest.raises(ConfigError, match="are not those that Frontier writes") as refused:
        report_from_mlflow(read_experiment(uri, "changed"), "changed")
    assert "frontier sync" in str(refused.value)


def test_an_experiment_has_no_path_of_a_machine_and_no_file_of_a_corpus(tmp_path: Path, uri: str) -> None:
    built = LedgerBuilder(tmp_path, "private")
    built.plan(tasks=[task("triage", invented=False)], seeds=[11])
    built.finish_all()
    sync(built.ledger, uri)
    said = str(dict(read_experiment(uri, "private").tags))
    assert "test.txt" not in said
    assert str(tmp_path) not in said.replace(uri, "")
