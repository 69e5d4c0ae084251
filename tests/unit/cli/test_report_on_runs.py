"""`frontier report --from` and `--mlflow`: frontiers over runs that Frontier did not make."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import ConfigError
from orchestrator.report.foreign.mapping import NEEDED, RunMapping
from orchestrator.report.foreign.runs import RunRow, runs_of
from orchestrator.tracking.tracking_uri import quiet_environment

PEFT = Path(__file__).parents[4] / "shared" / "data" / "peft_method_comparison"
HEAD = "model,domain,method,task,seed,metric,quality,device,device_hours\n"
ROWS = "".join(
    f"tiny,general,{method},triage,{seed},macro_f1,{quality + seed / 100},NVIDIA A10G,{hours}\n"
    for method, quality, hours in (("full", 0.8, 2.0), ("lora", 0.7, 0.5), ("ia3", 0.6, 1.0))
    for seed in (1, 2, 3)
)


def report(tmp_path: Path, *words: str) -> dict[str, Any]:
    """The report as data."""
    shown = CliRunner().invoke(app, ["report", *words, "--out", str(tmp_path / "out"), "--json"])
    if shown.exception is not None:
        raise shown.exception
    return dict(json.loads((tmp_path / "out" / "report.json").read_text()))


def points(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {p["method"]: p for task in told["tasks"] for p in task["points"]}


def table(tmp_path: Path, text: str) -> str:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    return str(path)


def test_a_table_of_runs_gives_a_frontier_with_intervals_over_its_seeds(tmp_path: Path) -> None:
    told = report(tmp_path, "--from", table(tmp_path, HEAD + ROWS))
    found = points(told)
    assert {name for name, p in found.items() if p["frontier"]} == {"full", "lora"}
    assert found["full"]["quality"] == pytest.approx(0.82)
    assert found["full"]["quality_interval"] is not None
    assert found["full"]["device_hours"] == 2.0
    [comparison] = told["tasks"][0]["comparisons"]
    assert comparison["device_type"] == "NVIDIA A10G"
    assert any("Frontier did not make these runs" in notice for notice in told["notices"])


def test_a_missing_cost_stays_missing_and_its_run_is_not_on_the_frontier(tmp_path: Path) -> None:
    row = "tiny,general,best,triage,1,macro_f1,0.99,NVIDIA A10G,\n"
    found = points(report(tmp_path, "--from", table(tmp_path, HEAD + ROWS + row)))
    assert found["best"]["device_hours"] is None
    assert not found["best"]["frontier"]
    assert found["best"]["quality"] == 0.99


def test_runs_without_seeds_get_no_interval_and_the_report_says_so(tmp_path: Path) -> None:
    text = "model,method,task,metric,quality\ntiny,full,triage,accuracy,0.8\ntiny,lora,triage,accuracy,0.7\n"
    told = report(tmp_path, "--from", table(tmp_path, text))
    assert [p["quality_interval"] for p in points(told).values()] == [None, None]
    assert "name no seed" in told["tasks"][0]["note"]
    assert not told["tasks"][0]["claims"]


def test_a_mapping_names_the_columns_and_what_all_runs_share(tmp_path: Path) -> None:
    text = "lm;peft;r;acc;secs;site\nphi;LoRA;8;81.5;3600;a\nphi;LoRA;16;82.5;7200;a\nphi;LoRA;8;1;1;b\n"
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "columns: {model: lm, method: [peft, r], quality: acc, wall_seconds: secs}\n"
        "values: {task: notes, metric: accuracy, device: NVIDIA H100, devices: 2}\n"
        "only: {site: a}\nquality_in: percent\n"
    )
    found = points(report(tmp_path, "--from", table(tmp_path, text), "--mapping", str(mapping)))
    assert {name: p["quality"] for name, p in found.items()} == {"LoRA-8": 0.815, "LoRA-16": 0.825}
    assert found["LoRA-8"]["device_hours"] == 2.0  # two GPUs for an hour


def test_all_mistakes_of_a_table_are_told_at_once(tmp_path: Path) -> None:
    text = (
        HEAD + "tiny,general,full,triage,1,macro_f1,81,cpu,1\n"
        "tiny,general,,triage,1,macro_f2,0.5,cpu,many\n"
        "tiny,general,lora,triage,1.5,macro_f1,0.5,cpu,-1\n"
        "tiny,general,ia3,triage,1,macro_f1,0.5,cpu,1\n"
        "tiny,general,ia3,triage,1,macro_f1,0.6,cpu,1\n"
    )
    with pytest.raises(ConfigError) as refused:
        report(tmp_path, "--from", table(tmp_path, text))
    said = str(refused.value)
    for mistake in (
        "runs.csv: line 2, quality: expected a score from 0 to 1, got 81",
        "set quality_in: percent",
        "line 3, method: is empty",
        "line 3, metric: unknown metric, got 'macro_f2'",
        "line 3, device_hours: expected a number, got 'many'",
        "line 4, seed: expected a whole number, got '1.5'",
        "line 4, device_hours: expected more than 0, got -1",
        "line 6: tiny, ia3, triage and seed 1 are those of",
    ):
        assert mistake in said
    assert refused.value.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_table_without_a_column_names_it_and_the_closest_one(tmp_path: Path) -> None:
    text = (HEAD + ROWS).replace("quality", "qualty", 1)
    with pytest.raises(ConfigError, match="column 'quality' is missing") as refused:
        report(tmp_path, "--from", table(tmp_path, text))
    assert "did you mean 'qualty'?" in str(refused.value)


def test_a_mapping_with_mistakes_names_each_with_its_line(tmp_path: Path) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text("columns:\n  modle: lm\n  method: peft\n  wall_seconds: secs\nrepeat: newest\n")
    with pytest.raises(ConfigError) as refused:
        report(tmp_path, "--from", table(tmp_path, "lm,peft\n"), "--mapping", str(mapping))
    said = str(refused.value)
    assert "did you mean 'model'?" in said
    assert "did you mean 'repeats'?" in said
    assert f"{mapping}, line 5" in said


def test_a_cost_needs_its_device_because_a_core_hour_is_no_gpu_hour(tmp_path: Path) -> None:
    text = "model,method,task,metric,quality,device_hours\ntiny,full,triage,accuracy,0.8,1\n"
    with pytest.raises(ConfigError, match="device: is missing, and the runs have a cost"):
        report(tmp_path, "--from", table(tmp_path, text))


def test_the_mapping_of_a_column_that_no_run_has_is_refused(tmp_path: Path) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "columns: {model: lm, method: peft, quality: acc}\nvalues: {task: t, metric: accuracy}\n"
    )
    with pytest.raises(ConfigError, match="'acc' is missing"):
        report(tmp_path, "--from", table(tmp_path, "lm,peft\nphi,LoRA\n"), "--mapping", str(mapping))


@pytest.mark.skipif(not PEFT.is_dir(), reason="needs ../shared/data/peft_method_comparison")
def test_the_results_of_peft_are_a_frontier_on_one_gpu_without_intervals(tmp_path: Path) -> None:
    told = report(tmp_path, "--from", str(PEFT))
    [task] = told["tasks"]
    found = points(told)
    assert len(found) == 42
    [comparison] = task["comparisons"]
    assert (comparison["device_type"], comparison["precision"]) == ("NVIDIA L40S", "bf16")
    rslora = found["lora-rank64-rslora"]
    assert rslora["quality"] == 0.513267626990144
    assert rslora["device_hours"] == pytest.approx(965.5109914450077 / 3600)
    assert rslora["frontier"]
    assert all(p["quality_interval"] is None for p in found.values())
    assert "no interval can be given" in task["note"]


def test_a_folder_with_broken_results_names_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('{"run_info": {}, "train_info": {}}')
    with pytest.raises(ConfigError) as refused:
        report(tmp_path, "--from", str(folder))
    said = str(refused.value)
    assert "a.json: is not JSON" in said
    assert "b.json: meta_info: is missing" in said
    with pytest.raises(ConfigError, match="has no JSON files"):
        report(tmp_path, "--from", str(tmp_path))


def peft_result(**train: Any) -> dict[str, Any]:
    info = {"train_time": 60.0, "num_trainable_params": 10, "num_total_params": 100, "status": "success"}
    config = {"model_id": "org/mini", "dtype": "float32", "seed": 0}
    run = {"created_at": "2025-01-01T00:00:00+00:00", "experiment_name": "lora/mini-rank8"}
    return {
        "run_info": run | {"train_config": config},
        "train_info": info | {"metrics": [{"test accuracy": 0.5}]} | train,
        "meta_info": {"dataset_info": {"gsm": 1}, "package_info": {}, "system_info": {"accelerator": "L40S"}},
    }


def test_wrong_figures_in_the_results_of_peft_are_named_with_file_key_and_value(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for name, train in {
        "word": {"metrics": [{"test accuracy": "oops"}]},
        "nan": {"metrics": [{"step": 1}, {"test accuracy": float("nan")}]},
        "percent": {"metrics": [{"test accuracy": 45.2}]},
        "time": {"train_time": 1e308},
        "weights": {"num_total_params": 10**400},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(peft_result(**train)))
    (folder / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError) as refused:
        report(tmp_path, "--from", str(folder))
    said = str(refused.value)
    for file, key, got in (
        ("word", "train_info.metrics.0.test accuracy", "got 'oops'"),
        ("nan", "train_info.metrics.1.test accuracy", "got nan"),
        ("percent", "train_info.metrics.0.test accuracy", "less than or equal to 1, got 45.2"),
        ("time", "train_info.train_time", "got 1e+308"),
        ("weights", "train_info.num_total_params", ""),
    ):
        [line] = [line for line in said.splitlines() if f"{file}.json: {key}: " in line]
        assert got in line
    assert "deep.json: is nested too deeply to be read" in said


@pytest.mark.parametrize("column", ["device_hours", "wall_seconds"])
def test_a_cost_of_zero_was_not_measured(tmp_path: Path, column: str) -> None:
    free = "tiny,general,free,triage,1,macro_f1,0.5,NVIDIA A10G,0\n"
    text = (HEAD + ROWS + free).replace("device_hours", column)
    point = points(report(tmp_path, "--from", table(tmp_path, text)))["free"]
    assert (point["device_hours"], point["frontier"]) == (None, False)


@pytest.mark.parametrize("column", ["device_hours", "wall_seconds", "energy_kwh", "peak_memory_gib"])
def test_a_figure_that_no_run_can_have_is_refused(tmp_path: Path, column: str) -> None:
    text = (HEAD + "tiny,general,full,triage,1,macro_f1,0.5,cpu,1e308\n").replace("device_hours", column)
    with pytest.raises(ConfigError, match=f"line 2, {column}: is too large, got 1e308"):
        report(tmp_path, "--from", table(tmp_path, text))


def test_the_range_of_a_score_is_that_of_the_metric_of_its_row(tmp_path: Path) -> None:
    rows = "tiny,full,letters,{},{}\n"
    text = "model,method,task,metric,quality\n" + rows.format("loss", 1.7)
    assert points(report(tmp_path, "--from", table(tmp_path, text)))["full"]["quality"] == -1.7
    text = "model,method,task,metric,quality\n" + rows.format("cohens_kappa", -0.05)
    assert points(report(tmp_path, "--from", table(tmp_path, text)))["full"]["quality"] == -0.05
    text += rows.format("cohens_kappa", -1.5).replace("full", "lora")
    with pytest.raises(ConfigError, match="line 3, quality: expected a score from -1 to 1, got"):
        report(tmp_path, "--from", table(tmp_path, text))


@pytest.mark.parametrize("repeats", ["refuse", "newest"])
def test_a_run_that_failed_takes_the_place_of_none_that_finished(
    repeats: Literal["refuse", "newest"],
) -> None:
    fields = {field: field.value for field in NEEDED}
    values = dict.fromkeys(("model", "method", "task"), "a") | {"metric": "accuracy"}

    def row(place: str, at: float, quality: str | None = None, model: str = "a") -> RunRow:
        figures = {} if quality is None else {"quality": quality}
        return RunRow("runs", place, values | figures | {"model": model}, quality is not None, at)

    rows = [row("run 1", 1.0), row("run 2", 2.0, "0.5"), row("run 3", 3.0)]
    crashed = [row("run 4", 4.0, model="b"), row("run 5", 5.0, model="b")]
    mapping = RunMapping(columns=dict(fields), repeats=repeats)
    runs = runs_of([*rows, *crashed], mapping, "runs", "map")
    assert [(run.model, run.ended, run.score) for run in runs] == [("a", True, 0.5), ("b", False, None)]


def test_a_mapping_that_names_no_column_for_a_field_is_refused(tmp_path: Path) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text("columns: {quality: []}\nvalues: {model: m, method: f, task: t, metric: accuracy}\n")
    with pytest.raises(ConfigError, match=r"columns\.quality: names no column"):
        report(tmp_path, "--from", table(tmp_path, "acc\n0.5\n"), "--mapping", str(mapping))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected one of SWEEP, --from and --mlflow, got none"),
        (["demo", "--from", "runs.csv"], "got SWEEP and --from"),
        (["demo", "--mapping", "map.yaml"], "--mapping: does not go with SWEEP"),
        (["--from", "runs.csv", "--what-if", "prices=aws"], "--what-if: does not go with --from"),
        (["--mlflow", "http://127.0.0.1:9"], "--experiment: is missing"),
        (["--from", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["--from", "nowhere.xlsx"], "nowhere.xlsx: there is no such file"),
    ],
)
def test_words_that_do_not_go_together_are_refused(words: list[str], said: str) -> None:
    failed = CliRunner().invoke(app, ["report", *words])
    assert isinstance(failed.exception, ConfigError)
    assert said in str(failed.exception)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> str:
    """An experiment as a colleague would have it: a fine-tuning with the Trainer, logged by autolog."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{shutil.copy(mlflow_store, tmp_path_factory.mktemp('mlflow'))}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("colleague")
    for model, seed, accuracy, seconds in (
        ("bert", 1, 0.80, 100.0),
        ("bert", 2, 0.82, 110.0),
        ("distilbert", 1, 0.78, 50.0),
        ("distilbert", 2, 0.79, 52.0),
    ):
        run = client.create_run(experiment, start_time=1_000_000, run_name=f"{model}-{seed}").info.run_id
        client.log_param(run, "_name_or_path", f"org/{model}")
        client.log_param(run, "seed", seed)
        client.log_metric(run, "eval_accuracy", accuracy)
        client.log_metric(run, "train_runtime", seconds)
        client.set_terminated(run, end_time=2_000_000)
    broken = client.create_run(experiment, start_time=1_000_000).info.run_id
    client.log_param(broken, "_name_or_path", "org/bert")
    client.log_param(broken, "seed", 3)
    client.log_metric(broken, "train_runtime", 1)
    client.set_terminated(broken, status="FAILED")
    return uri


@pytest.fixture
def colleague(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "columns:\n"
        "  model: params._name_or_path\n"
        "  seed: params.seed\n"
        "  quality: metrics.eval_accuracy\n"
        "  wall_seconds: metrics.train_runtime\n"
        "values: {method: full, task: letters, metric: accuracy, device: cpu, devices: 4}\n"
    )
    return mapping


def test_the_experiment_of_a_colleague_gives_a_frontier(tmp_path: Path, store: str, colleague: Path) -> None:
    told = report(tmp_path, "--mlflow", store, "--experiment", "colleague", "--mapping", str(colleague))
    by_model = {p["model"]: p for p in told["tasks"][0]["points"]}
    assert by_model["org/bert"]["quality"] == pytest.approx(0.81)
    assert by_model["org/bert"]["quality_interval"] is not None
    assert by_model["org/bert"]["seeds"] == 2  # the run that failed is none
    assert by_model["org/bert"]["device_hours"] == pytest.approx(4 * 105 / 3600)
    assert by_model["org/distilbert"]["frontier"]
    assert told["unfinished"] == ["org/bert/any/full/letters/seed-3"]


def test_an_experiment_that_is_called_as_a_path_is_reported_here(
    tmp_path: Path, store: str, colleague: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Databricks calls experiments by the path of their notebook."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    name = f"{tmp_path}/../letters"
    run = client.create_run(client.create_experiment(name)).info.run_id
    client.log_param(run, "_name_or_path", "org/bert")
    client.log_param(run, "seed", 1)
    client.log_metric(run, "eval_accuracy", 0.8)
    client.log_metric(run, "train_runtime", 60)
    client.set_terminated(run)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    words = ["report", "--mlflow", store, "--experiment", name, "--mapping", str(colleague)]
    done = CliRunner().invoke(app, words)
    assert done.exception is None, done.output
    [folder] = (tmp_path / "here").iterdir()
    assert folder.name.endswith("letters-report")
    assert (folder / "report.html").is_file()


def test_mistakes_about_mlflow_name_what_is_there(tmp_path: Path, store: str, colleague: Path) -> None:
    words = ["--mlflow", store, "--experiment", "colleague", "--mapping", str(colleague)]
    with pytest.raises(ConfigError, match="has no experiment 'coleague'") as refused:
        report(tmp_path, *["coleague" if word == "colleague" else word for word in words])
    assert "did you mean 'colleague'?" in str(refused.value)
    colleague.write_text(colleague.read_text().replace("eval_accuracy", "eval_acuracy"))
    with pytest.raises(ConfigError, match=r"no run has 'metrics\.eval_acuracy'") as refused:
        report(tmp_path, *words)
    assert "did you mean 'metrics.eval_accuracy'?" in str(refused.value)
    with pytest.raises(ConfigError, match="there is no such store"):
        report(tmp_path, "--mlflow", f"sqlite:///{tmp_path}/none.db", *words[2:])
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("kind", ["a database", "a text"])
def test_a_file_that_is_no_store_of_mlflow_is_refused_and_left_as_it_is(
    tmp_path: Path, colleague: Path, kind: str
) -> None:
    file = tmp_path / "notes of ward #1 (100%).db"
    if kind == "a text":
        file.write_text("no database, and more than the hundred bytes that the head of one has " * 2)
    else:
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE experiments (name TEXT)")
    before = file.read_bytes()
    words = ["--mlflow", f"sqlite:///{file}", "--experiment", "colleague", "--mapping", str(colleague)]
    with pytest.raises(ConfigError, match="is no MLflow store") as refused:
        report(tmp_path, *words)
    assert "notes of ward #1" in str(refused.value)
    assert file.read_bytes() == before
