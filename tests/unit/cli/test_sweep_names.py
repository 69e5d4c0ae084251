"""A sweep file by its name, wherever it is."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import ConfigError

TINY = "models: [demo-tiny]\ndomains: [general]\nmethods: [full]\ntasks: [demo-ner]\n"


def _plan(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["plan", *words, "--json"], catch_exceptions=False)
    return dict(json.loads(done.stdout))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_plan_takes_the_name_of_a_shipped_sweep() -> None:
    plan = _plan("demo", "seeds=1")
    assert plan["sweep"] == "demo"
    assert len(plan["cells"]) == 36  # type: ignore[arg-type]


@pytest.mark.parametrize("file", ["demo", "demo.yaml", "demo.yml"])
def test_a_file_of_that_name_in_the_working_directory_comes_first(file: str) -> None:
    Path(file).write_text(f"name: ours\n{TINY}")
    assert _plan("demo")["sweep"] == "ours"


def test_a_path_needs_no_suffix() -> None:
    Path("studies").mkdir()
    Path("studies/first.yaml").write_text(f"name: first\n{TINY}")
    assert _plan("studies/first")["sweep"] == "first"


def test_a_directory_of_that_name_is_no_sweep_file() -> None:
    Path("demo").mkdir()
    assert _plan("demo", "seeds=1")["sweep"] == "demo"


def test_a_folder_that_init_wrote_names_its_sweep_file() -> None:
    Path("demo").mkdir()
    Path("demo/sweep.yaml").write_text(f"name: ours\n{TINY}")
    assert [_plan(name)["sweep"] for name in ("demo", "demo/")] == ["ours", "ours"]


@pytest.mark.parametrize("file", ["letters.csv", "My letters.TSV", "notes.jsonl"])
def test_a_data_file_is_answered_with_the_command_that_writes_a_sweep_for_it(file: str) -> None:
    Path(file).write_text("text,label\nNo fever.,a\n")
    with pytest.raises(ConfigError) as raised:
        _plan(file)
    [problem] = raised.value.problems
    assert problem.problem == "expected a sweep file, got a data file"
    assert problem.fix == f"write one: frontier init {shlex.quote(file)}"


def test_a_name_that_fits_nothing_is_answered_with_the_names() -> None:
    Path("letters.yaml").write_text(f"name: letters\n{TINY}")
    with pytest.raises(ConfigError) as raised:
        _plan("dmeo")
    message = str(raised.value)
    assert "dmeo: there is no sweep file of this name" in message
    assert "did you mean 'demo'?" in message
    assert "one of the shipped sweeps: architectures, cross-domain, demo, " in message
    assert "tune-lr" in message
    assert "YAML files here: letters.yaml" in message


def test_the_name_of_a_sweep_that_has_run_needs_its_file() -> None:
    Path("sweeps/letters").mkdir(parents=True)
    Path("sweeps/letters/sweep.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"frontier status letters"):
        _plan("letters")


def test_the_task_that_init_wrote_is_answered_with_its_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("my letters")
    (folder / "tasks").mkdir(parents=True)
    task = folder / "tasks" / "letters.yaml"
    task.write_text("title: x\nkind: ner\nmetric: entity_f1\nreader: {format: conll}\n")
    for fix in (
        "move it to CATALOGUE/tasks/",
        "give the sweep file beside its folder: 'my letters/sweep.yaml'",
    ):
        failed = CliRunner().invoke(app, ["plan", str(task)])
        assert "expected a sweep file, got a task" in str(failed.exception)
        assert f"-> {fix}" in str(failed.exception)
        (folder / "sweep.yaml").write_text("name: letters\n")
