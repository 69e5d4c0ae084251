"""The MLflow view against a real sqlite store: one active run a trial, whatever happens and how often."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder, task
from sqlalchemy.exc import OperationalError
from virtual_sweeps import Project

from orchestrator.contracts import layout
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.price import DevicePrice, PriceBook
from orchestrator.contracts.tuning import Tuned
from orchestrator.contracts.vocabulary import FailureKind, Phase, TrialState
from orchestrator.errors import TrackingError
from orchestrator.tracking import mlflow_experiment
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.mlflow_reader import runs_pages
from orchestrator.tracking.mlflow_runs import STATE, MetricPoint
from orchestrator.tracking.mlflow_view import MlflowView, Synced, sync
from orchestrator.tracking.published import RunsInStore
from orchestrator.tracking.tracking_uri import quiet_environment
from orchestrator.tracking.trial_costs import totals_of


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> str:
    """One store for this file; every test has its own experiment."""
    return f"sqlite:///{shutil.copy(mlflow_store, tmp_path_factory.mktemp('mlflow'))}"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def runs(uri: str) -> Callable[[str], list[Any]]:
    def active(sweep: str, kind: str = "trial") -> list[Any]:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name(sweep)
        found = client.search_runs([experiment.experiment_id]) if experiment else []
        return [run for run in found if run.data.tags["frontier.kind"] == kind]

    return active


def test_a_finished_trial_becomes_one_run_with_params_metrics_and_tags(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "one")
    trial = built.plan(seeds=[11])[1]
    built.attempt(trial, Fate(quality=0.8))
    assert MlflowView(uri, built.ledger.sweep()).publish(built.ledger.trial(trial))

    [run] = runs("one")
    assert run.info.run_name == trial.name == "tiny/general/lora-r8/outcome/seed-11"
    assert run.info.status == "FINISHED"
    assert run.data.params["method.rank"] == "8"
    assert run.data.params["recipe.learning_rate"] == "0.0005"
    assert run.data.metrics["quality"] == run.data.metrics["test_macro_f1"] == 0.8
    assert "test_macro_auroc" not in run.data.metrics  # missing stays missing
    assert run.data.metrics["useful_device_seconds"] == pytest.approx(90.0)
    assert run.data.tags["state"] == "finished"
    assert run.data.tags["invented"] == "true"
    assert "invented" in run.data.tags["mlflow.note.content"]


def test_candidates_are_runs_of_their_own_kind_and_winners_mark_the_runs_of_their_seeds(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "tuned")
    [trial] = built.plan(["tiny"], ["general"], ["lora-r8"], seeds=[11])
    tried = [trial.model_copy(update={"candidate": number, "seed": 0}) for number in (1, 2)]
    for candidate, score in zip(tried, (0.6, 0.8), strict=True):
        built.attempt(candidate, Fate(quality=score))
    searching = built.sweep.model_copy(update={"candidates": tuple(tried)})
    built.ledger.write_sweep(searching)
    assert sync(built.ledger, uri).published == 2
    won = Tuned(
        values={"alpha_ratio": 2.0},
        candidate=2,
        metric=MetricName.MACRO_F1,
        dev_quality=0.8,
        candidates=2,
        device_seconds=200,
        device_type="cpu",
    )
    built.attempt(trial, Fate(quality=0.7))
    built.ledger.write_sweep(searching.model_copy(update={"tuned": {trial.cell.name: won}}))
    sync(built.ledger, uri)
    assert sync(built.ledger, uri).published == 0

    found = {run.data.tags["candidate"]: run for run in runs("tuned", "candidate")}
    assert {number: run.data.tags["winner"] for number, run in found.items()} == {"1": "false", "2": "true"}
    assert found["2"].data.metrics["dev_macro_f1"] == 0.8
    assert "quality" not in found["2"].data.metrics  # that is the one on test
    assert found["2"].data.params["method.rank"] == "8"
    [run] = runs("tuned")
    assert (run.data.tags["tuned.alpha_ratio"], run.data.tags["tuned.candidate"]) == ("2.0", "2")
    assert run.data.params["method.alpha_ratio"] == "2.0"


def test_curves_stand_by_step(tmp_path, uri, runs):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "curves")
    trial = built.plan(seeds=[11])[0]
    built.attempt(trial, Fate(quality=0.8))
    MlflowView(uri, built.ledger.sweep()).publish(built.ledger.trial(trial))
    [run] = runs("curves")
    history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(10, 0.2), (20, 0.1), (30, 2 / 30)]


def test_what_a_trial_took_beside_time_becomes_metrics_and_where_it_comes_from_tags(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "work")
    trial = built.plan(seeds=[11])[0]
    outcome = {
        "signature": "converged",
        "work": {
            Phase.LOAD: {"tokens": 0, "flops": 0.0, "gpu_joules": 5.0},
            Phase.TRAIN: {"tokens": 4_000, "flops": 2e12, "gpu_joules": 70.0},
        },
        "inherited_work": {
            Phase.LOAD: {"tokens": 0, "flops": 0.0, "gpu_joules": 5.0},
            Phase.TRAIN: {"tokens": 1_000, "flops": 5e11, "gpu_joules": 30.0},
        },
        "origins": {"gpu_energy": {"source": "measured", "by": "NVML total energy counter"}},
        "serving": [{"batch_size": 1, "examples_per_second": 50.0, "latency_seconds": 0.02, "batches": 9}],
    }
    built.attempt(trial, Fate(quality=0.8, outcome=outcome))
    MlflowView(uri, built.ledger.sweep()).publish(built.ledger.trial(trial))
    [run] = runs("work")
    found = run.data.metrics
    assert found["tokens"] == 5_000
    assert found["flops"] == 2.5e12
    assert found["gpu_energy_joules"] == 105.0  # the first loading is no part of the result
    assert "cpu_energy_joules" not in found  # missing stays missing
    assert found["serve_1_latency_seconds"] == 0.02
    assert found["dev/collapsed"] == 0.0
    assert (run.data.tags["signature"], run.data.tags["source.gpu_energy"]) == ("converged", "measured")


def test_publishing_twice_changes_nothing(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "twice")
    trial = built.plan(seeds=[11])[0]
    built.attempt(trial, Fate(quality=0.8))
    record = built.ledger.trial(trial)
    view = MlflowView(uri, built.ledger.sweep())
    assert view.publish(record)
    before = runs("twice")
    assert not view.publish(record)
    assert not MlflowView(uri, built.ledger.sweep()).publish(record)
    assert [r.info.run_id for r in runs("twice")] == [r.info.run_id for r in before]


def test_a_run_of_more_values_than_mlflow_takes_at_once_has_all_of_them(tmp_path, uri, runs, monkeypatch):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "long")
    trial = built.plan(seeds=[11])[0]
    built.attempt(trial, Fate(quality=0.8))
    curve = [MetricPoint("train/loss", 1 / step, float(step), step) for step in range(1, 1801)]
    monkeypatch.setattr("orchestrator.tracking.mlflow_store.curve_points", lambda record: curve)
    view = MlflowView(uri, built.ledger.sweep())
    assert view.publish(built.ledger.trial(trial))
    assert view.warning is None
    [run] = runs("long")
    history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "train/loss")
    assert [m.step for m in history] == list(range(1, 1801))
    assert not MlflowView(uri, built.ledger.sweep()).publish(built.ledger.trial(trial))


def test_sync_writes_again_a_run_whose_figures_somebody_changed(tmp_path, uri, runs):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "changed")
    trial = built.plan(seeds=[11])[1]
    built.attempt(trial, Fate(quality=0.8))
    sync(built.ledger, uri)
    [run] = runs("changed")
    for figure in ("quality", "a figure of another"):
        MlflowClient(tracking_uri=uri).log_metric(run.info.run_id, figure, 0.99)
        assert sync(built.ledger, uri).published == 1
        [run] = runs("changed")
        assert run.data.metrics["quality"] == 0.8
        assert figure == "quality" or figure not in run.data.metrics
        assert sync(built.ledger, uri).published == 0


def test_a_new_attempt_replaces_the_run(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "replaced")
    trial = built.plan(seeds=[11])[0]
    view = MlflowView(uri, built.ledger.sweep())
    built.attempt(trial, Fate(failure=FailureKind.OUT_OF_MEMORY))
    view.publish(built.ledger.trial(trial))
    [failed] = runs("replaced")
    assert failed.info.status == "FAILED"
    assert failed.data.tags["failure"] == "OUT_OF_MEMORY"
    assert "quality" not in failed.data.metrics

    built.attempt(trial, Fate(quality=0.7))
    view.publish(built.ledger.trial(trial))
    [finished] = runs("replaced")
    assert finished.info.status == "FINISHED"
    assert finished.data.metrics["quality"] == 0.7
    assert finished.data.metrics["attempts"] == 2


def test_a_crash_between_two_writes_leaves_one_run_after_the_next_sync(tmp_path, uri, runs):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "crashed")
    trials = built.plan(models=["tiny"], domains=["general"], seeds=[11])
    built.finish_all()
    sync(built.ledger, uri)
    client = MlflowClient(tracking_uri=uri)
    complete = {r.data.tags["frontier.trial"]: r.info.run_id for r in runs("crashed")}
    experiment = client.get_experiment_by_name("crashed").experiment_id
    half = {"frontier.trial": trials[0].name, "frontier.kind": "trial", "state": "finished"}
    half["frontier.sweep_id"] = built.ledger.sweep().sweep_id
    client.create_run(experiment, tags=half)  # as a driver leaves it that dies before the digest

    assert sync(built.ledger, uri).published == 0
    assert {r.data.tags["frontier.trial"]: r.info.run_id for r in runs("crashed")} == complete
    assert len(runs("crashed")) == len(trials)


def test_sync_rebuilds_everything_and_a_second_one_nothing(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "rebuilt")
    trials = built.plan(models=["tiny"], seeds=[11, 12])
    built.finish_all()
    first = sync(built.ledger, uri)
    assert (first.published, first.unchanged) == (len(trials), 0)
    second = sync(built.ledger, uri)
    assert (second.published, second.unchanged) == (0, len(trials))
    assert sorted(r.info.run_name for r in runs("rebuilt")) == sorted(t.name for t in trials)


def test_a_stale_trial_keeps_its_run_and_says_so(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "stale")
    plan = {"models": ["tiny"], "domains": ["general"], "methods": ["full"], "seeds": [11]}
    built.plan(**plan)
    built.finish_all()
    sync(built.ledger, uri)
    built.plan(**plan, fingerprint="e" * 16)
    sync(built.ledger, uri)
    [run] = runs("stale")
    assert run.data.tags["state"] == TrialState.STALE
    assert sync(built.ledger, uri).published == 0

    built.finish_all()
    sync(built.ledger, uri)
    [run] = runs("stale")
    assert (run.data.tags["state"], run.data.tags["fingerprint"]) == ("finished", "e" * 16)


def test_the_summary_run_is_one_and_holds_the_totals(tmp_path, uri):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "summed")
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11, 12])
    built.finish_all()
    view = MlflowView(uri, built.ledger.sweep())
    totals = totals_of(built.ledger.trials(), 0)
    assert view.publish_summary(totals, "The answer.")
    assert not view.publish_summary(totals, "The answer.")
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("summed")
    [run] = client.search_runs([experiment.experiment_id], "tags.`frontier.kind` = 'summary'")
    assert run.data.metrics["trials_finished"] == 2
    assert run.data.metrics["billed_core_hours"] == pytest.approx(200 / 3600)
    assert not [name for name in run.data.metrics if "gpu" in name]
    assert "The answer." in run.data.tags["mlflow.note.content"]
    assert "invented" in experiment.tags["mlflow.note.content"]


def test_what_a_search_changes_in_the_record_is_in_the_experiment_at_the_end(tmp_path, uri):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "searched")
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11])
    built.finish_all()
    before = built.ledger.sweep()
    view = MlflowView(uri, before, RunsInStore(uri, built.ledger.directory))
    assert [view.publish(record) for record in built.ledger.trials()] == [True]
    view.follow(before.model_copy(update={"question": "Which is the best of those that were found?"}))
    assert view.publish_summary(totals_of(built.ledger.trials(), 0))
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("searched")
    assert "those that were found?" in experiment.tags["mlflow.note.content"]
    assert "those that were found?" in experiment.tags["frontier.record"]


def test_a_store_out_of_reach_is_one_warning_for_a_view_and_an_error_for_sync(tmp_path, caplog):
    built = LedgerBuilder(tmp_path, "unreachable")
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11, 12])
    built.finish_all()
    nowhere = "http://user:word@127.0.0.1:9"
    view = MlflowView(nowhere, built.ledger.sweep())
    with caplog.at_level(logging.WARNING, logger="orchestrator"):
        assert [view.publish(record) for record in built.ledger.trials()] == [False, False]
    assert len(caplog.records) == 1
    assert view.warning is not None
    assert "frontier sync" in view.warning
    assert "word" not in view.warning
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9"):
        sync(built.ledger, nowhere)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses the login"),
        (403, "lets nothing be written"),
        (500, "cannot be written"),
    ],
)
def test_what_a_server_refuses_is_said_with_what_to_do(tmp_path, status, said):
    built = LedgerBuilder(tmp_path, "refused")
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11])
    built.finish_all()
    with refusing_server(status) as address, pytest.raises(TrackingError) as refused:
        sync(built.ledger, f"http://user:hunter2@{address}")
    message = str(refused.value)
    assert f"MLflow at http://user:***@{address} {said}" in message
    assert "frontier sync" in message
    assert ("MLFLOW_TRACKING_USERNAME" in message) == (status != 500)
    assert "no words of the server" not in message


@pytest.mark.parametrize(
    "full",
    [
        OperationalError("INSERT INTO runs", {}, sqlite3.OperationalError("database or disk is full")),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
)
def test_a_full_disk_is_no_store_to_bring_back(tmp_path, monkeypatch, full):
    built = LedgerBuilder(tmp_path, "full")
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11])
    built.finish_all()

    def refuse(uri: str) -> None:
        raise full

    monkeypatch.setattr(mlflow_experiment, "client_of", refuse)
    words = r"cannot be written, because the disk is full; the records lack nothing\n    -> free some disk"
    with pytest.raises(TrackingError, match=words):
        sync(built.ledger, f"sqlite:///{tmp_path}/mlflow.db")


@contextmanager
def refusing_server(status: int) -> Iterator[str]:
    class Refusal(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"no words of the server")

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_runs_hold_no_labels_of_the_data(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "closed")
    trial = built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11])[0]
    path = built.attempt(trial, Fate(quality=0.8, labels=("Mrs Example",)))
    (path / "predictions.txt").write_text("Mrs Example")
    sync(built.ledger, uri)
    [run] = runs("closed")
    assert "Mrs Example" not in str(run.to_dictionary())
    assert MetricName.MACRO_F1 in str(run.to_dictionary())


def test_a_driver_killed_while_it_makes_the_store_leaves_none(tmp_path):
    """MLflow fills a new file with dozens of tables, one after another, and never mends half of it."""
    code = f"""
import os, signal
from pathlib import Path
from sqlalchemy import Engine, event
from ledger_builder import Fate, LedgerBuilder
from virtual_sweeps import Project
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.mlflow_view import MlflowView
built = LedgerBuilder(Path({str(tmp_path)!r}), "killed")
trial = built.plan()[0]
built.attempt(trial, Fate())
Path("{tmp_path}/store").mkdir()
made = []

@event.listens_for(Engine, "before_cursor_execute")
def die_midway(connection, cursor, statement, *_):
    made.extend([statement] if "CREATE TABLE" in statement else [])
    if len(made) > 10:
        os.kill(os.getpid(), signal.SIGKILL)

MlflowView("sqlite:///{tmp_path}/store/mlflow.db", built.ledger.sweep()).publish(built.ledger.trial(trial))
"""
    driver = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": "tests:."})
    assert driver.returncode == -signal.SIGKILL
    assert list((tmp_path / "store").glob("*mlflow.db*"))  # it was begun
    assert not (tmp_path / "store" / "mlflow.db").exists()


def test_nothing_is_written_beside_the_store(tmp_path, uri, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built = LedgerBuilder(Path("storage"), "tidy")
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11])
    built.finish_all()
    sync(built.ledger, uri)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["storage"]


def test_a_part_of_a_sweep_leaves_the_runs_of_its_other_trials_as_they_are(tmp_path, uri, runs):
    project = Project(tmp_path)
    project.run()
    assert sync(Ledger(project.sweep_directory), uri).published == 8
    project.run(plan=project.plan("methods=full", "seeds=1"))
    again = sync(Ledger(project.sweep_directory), uri)
    assert (again.published, again.unchanged) == (0, 8)
    assert [run.data.tags[STATE] for run in runs("virtual")] == ["finished"] * 8


def test_a_run_has_the_figures_that_a_person_looks_for_in_the_units_of_the_report(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "looked-for")
    trial = built.plan(["tiny"], ["general"], ["full"], seeds=[11])[0]
    prices = PriceBook(
        name="book",
        currency="CHF",
        as_of="2026-01-01",
        source="invented",
        devices={"NVIDIA A10G": DevicePrice(on_demand=2.0)},
    )
    built.ledger.write_sweep(built.sweep.model_copy(update={"prices": prices}))
    outcome = {
        "peak_device_memory_bytes": 3 * 2**30,
        "work": {Phase.TRAIN: {"tokens": 9, "flops": 1.0, "gpu_joules": 3.6e6}},
        "serving": [{"batch_size": 1, "examples_per_second": 50.0, "latency_seconds": 0.02, "batches": 9}],
    }
    phases = {Phase.TRAIN: 90.0}
    built.attempt(trial, Fate(quality=0.8, phases=phases, device_type="NVIDIA A10G", outcome=outcome))
    sync(built.ledger, uri)

    [run] = runs("looked-for")
    figures = run.data.metrics
    assert figures["gpu_hours"] == pytest.approx(90 / 3600)  # the cost on the frontier's axis
    assert figures["billed_gpu_hours"] == pytest.approx(100 / 3600)
    assert figures["cost"] == pytest.approx(2.0 * 90 / 3600)
    assert run.data.tags["currency"] == "CHF"
    assert figures["train_seconds"] == 90
    assert figures["energy_kwh"] == 1.0
    assert figures["peak_device_memory_gib"] == 3.0
    assert figures["latency_ms"] == 20.0
    assert not [name for name in figures if "core" in name]


def test_the_hours_of_a_run_are_those_of_the_frontier(tmp_path, uri, runs):
    from orchestrator.report import build_report

    built = LedgerBuilder(tmp_path, "axis")
    trial = built.plan(["tiny"], ["general"], ["full"], seeds=[11])[0]
    built.attempt(trial, Fate(quality=0.8))
    sync(built.ledger, uri)
    [run] = runs("axis")
    [point] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks[0].points
    assert run.data.metrics["core_hours"] == point.device_hours.mean
    assert "cost" not in run.data.metrics  # no prices were named
    assert "currency" not in run.data.tags


def test_a_run_names_its_data_and_nothing_of_where_they_are(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "data")
    trial = built.plan(["tiny"], ["general"], ["full"], seeds=[11])[0]
    built.attempt(trial, Fate(quality=0.8))
    sync(built.ledger, uri)
    [run] = runs("data")
    [data] = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("outcome", "d" * 16)
    assert (data.dataset.source, data.dataset.schema, data.dataset.profile) == ("{}", None, None)


def test_sync_deletes_the_runs_of_trials_whose_records_are_gone(tmp_path, uri, runs):
    built = LedgerBuilder(tmp_path, "gone")
    first, second = built.plan(["tiny"], ["general"], ["full"], seeds=[11, 12])
    built.finish_all()
    assert sync(built.ledger, uri).retired == 0
    shutil.rmtree(layout.trial_directory(built.ledger.directory, first.name))
    assert sync(built.ledger, uri).retired == 1
    assert [run.info.run_name for run in runs("gone")] == [second.name]
    assert len(runs("gone", "summary")) == 1
    assert sync(built.ledger, uri).retired == 0


def test_an_experiment_has_a_view_per_task_with_what_its_trials_cost(tmp_path, uri):
    from mlflow import MlflowClient

    built = LedgerBuilder(tmp_path, "views")
    built.plan(["tiny"], ["general"], ["full"], tasks=[task("outcome"), task("triage")], seeds=[11])
    built.finish_all()
    sync(built.ledger, uri)
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("views")
    view = json.loads(experiment.tags["mlflow.sharedViewState.triage"])
    assert 'tags.task = "triage"' in view["searchFilter"]
    assert {"params.`method`", "metrics.`quality`", "metrics.`core_hours`", "metrics.`latency_ms`"} <= set(
        view["selectedColumns"]
    )
    pages = runs_pages(uri, "views")
    assert list(pages) == ["outcome", "triage"]
    assert pages["triage"].endswith("&viewStateShareKey=triage")
    assert runs_pages(uri, "never run") == {"": "#/experiments"}


def test_the_artifacts_of_an_experiment_belong_beside_the_store(tmp_path, uri, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    built = LedgerBuilder(tmp_path, "artifacts")
    built.plan(["tiny"], ["general"], ["full"], seeds=[11])
    built.finish_all()
    sync(built.ledger, uri)
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("artifacts")
    store = Path(uri.removeprefix("sqlite:///"))
    assert experiment.artifact_location == (store.parent / "mlartifacts").as_uri()


def test_two_sweeps_of_one_name_on_one_server_leave_the_runs_of_each_other(tmp_path, uri, runs):
    mine, theirs = (LedgerBuilder(tmp_path / person, "shared") for person in ("mine", "theirs"))
    mine.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[11])
    gone = theirs.plan(["tiny"], ["general"], ["full"], seeds=[11, 12])[1]
    mine.finish_all()
    theirs.finish_all(seconds=70.0)
    assert sync(mine.ledger, uri).published == 2
    first = {run.info.run_id for run in runs("shared")}
    assert sync(theirs.ledger, uri) == Synced(published=2, unchanged=0, retired=0)
    assert first < {run.info.run_id for run in runs("shared")}
    assert len(runs("shared", "summary")) == 2

    shutil.rmtree(layout.trial_directory(theirs.ledger.directory, gone.name))
    assert sync(theirs.ledger, uri).retired == 1
    assert sync(mine.ledger, uri) == Synced(published=0, unchanged=2, retired=0)
    assert first < {run.info.run_id for run in runs("shared")}


def test_of_runs_without_the_id_of_a_sweep_sync_deletes_those_that_it_remembers(tmp_path, uri, runs):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    built = LedgerBuilder(tmp_path, "older")
    first, second = built.plan(["tiny"], ["general"], ["full"], seeds=[11, 12])
    built.finish_all()
    sync(built.ledger, uri)
    for run in runs("older"):
        client.delete_tag(run.info.run_id, "frontier.sweep_id")
    foreign = {"frontier.trial": "tiny/general/full/outcome/seed-13", "frontier.kind": "trial"}
    experiment = client.get_experiment_by_name("older").experiment_id
    kept = client.create_run(experiment, tags=foreign | {"frontier.digest": "0" * 16}).info.run_id

    shutil.rmtree(layout.trial_directory(built.ledger.directory, first.name))
    assert sync(built.ledger, uri) == Synced(published=0, unchanged=1, retired=1)
    assert {run.data.tags["frontier.trial"] for run in runs("older")} == {
        second.name,
        foreign["frontier.trial"],
    }
    (built.ledger.directory / layout.PUBLISHED).unlink()
    assert sync(built.ledger, uri) == Synced(published=0, unchanged=1, retired=0)
    assert kept in {run.info.run_id for run in runs("older")}
    assert len(runs("older")) == 2
