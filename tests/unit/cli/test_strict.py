"""`frontier doctor --strict`, and sweeps over sensitive data, which start only where it passes."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from own_data import write_example
from typer.testing import CliRunner

from orchestrator.cli import staging
from orchestrator.cli.app import app
from orchestrator.cli.entry import TELLS_NOBODY
from orchestrator.cli.strict.machine import check_machine
from orchestrator.cli.strict.surroundings import Surroundings
from orchestrator.cli.strict.versions import compared
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.errors import ConfigError, StorageError
from orchestrator.storage.store import DirectoryStore

SECRET = "9f" * 24
KNOWN = "password1234"


@pytest.fixture
def safe(tmp_path: Path) -> Surroundings:
    """A machine where all is as it should be, the directory that pytest made included."""
    storage, data = tmp_path / "sweeps", tmp_path / "data"
    for place in (storage, data):
        place.mkdir(mode=0o700)
    return Surroundings(storage, f"sqlite:///{storage}/mlflow.db", dict(TELLS_NOBODY), data, user=1000)


def found(here: Surroundings, risk: Risk) -> Checked:
    return next(checked for checked in check_machine(here) if checked.risk is risk)


def told(here: Surroundings, risk: Risk) -> str:
    """What is wrong, and the fix."""
    checked = found(here, risk)
    assert checked.is_problem, checked
    return f"{checked.words} -> {checked.fix}"


@contextmanager
def answering(status: Callable[[str | None], int]) -> Iterator[str]:
    """A server whose status depends on the header Authorization."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status(self.headers.get("Authorization")))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_risk_is_looked_at_once_and_a_safe_machine_passes(safe: Surroundings) -> None:
    checks = list(check_machine(safe))
    assert [checked.risk for checked in checks] == list(Risk)
    assert [checked for checked in checks if checked.is_problem] == []
    assert {path.name for path in safe.storage.parent.iterdir()} == {"sweeps", "data"}
    assert not list(safe.storage.iterdir())


def test_untested_versions_and_code_of_a_hub_are_found() -> None:
    lock = {"torch": "2.13.0", "ray": "2.60.0"}
    assert not compared({"torch": "2.13.0+cpu", "ray": "2.60.0", "mine": "1"}, lock).is_problem
    assert "ray 2.59.0 (lock: 2.60.0)" in compared({"ray": "2.59.0"}, lock).words
    assert "native code of a hub" in compared({"kernels": "1.0"}, lock).words
    assert "the list of tested versions, is missing" in compared({}, {}).words


def test_a_storage_that_is_full_or_lets_two_writers_win_is_found(
    safe: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DirectoryStore, "put", lambda *_, **__: True)
    assert "lets two writers write one record" in told(safe, Risk.STORAGE)

    def fail(*_: object, **__: object) -> bool:
        raise StorageError("the store fails\n    -> more")

    monkeypatch.setattr(DirectoryStore, "put", fail)
    assert told(safe, Risk.STORAGE) == "the store fails -> make it writable, with hard links"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, None),
        (403, "answers HTTP 403: whether it asks for a login is unknown"),
        (200, "answers without a login"),
        (500, "answers HTTP 500: whether it asks for a login is unknown"),
    ],
)
def test_an_mlflow_that_lets_anybody_in_is_found(safe: Surroundings, status: int, words: str | None) -> None:
    with answering(lambda _: status) as uri:
        here = replace(safe, uri=uri)
        assert words in told(here, Risk.MLFLOW) if words else not found(here, Risk.MLFLOW).is_problem


def test_a_well_known_password_is_found_without_being_printed(safe: Surroundings) -> None:
    weak = replace(safe, environment={**TELLS_NOBODY, "MLFLOW_TRACKING_PASSWORD": KNOWN})
    assert "MLFLOW_TRACKING_PASSWORD" in told(weak, Risk.PASSWORDS)
    assert KNOWN not in told(weak, Risk.PASSWORDS)
    with answering(lambda login: 200 if login else 401) as uri:
        assert "accepts a well-known password for admin" in told(replace(safe, uri=uri), Risk.PASSWORDS)
        assert KNOWN not in told(replace(safe, uri=uri), Risk.PASSWORDS)


def test_a_ray_cluster_that_is_open_or_not_reached_is_found(safe: Surroundings) -> None:
    assert "--insecure-cluster" in told(replace(safe, address="head:6379", insecure=True), Risk.RAY)
    assert "is unknown" in told(replace(safe, address="nowhere.invalid:6379"), Risk.RAY)


def test_root_is_found(safe: Surroundings) -> None:
    assert "runs as root" in told(replace(safe, user=0), Risk.ROOT)


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder of which other accounts can pass through each folder above, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="frontier-strict-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.parametrize("place", ["data", "data/Smith_Eve.txt", "sweeps/mlflow.db", "sweeps/s/sweep.json"])
def test_corpora_and_records_that_others_can_read_are_found(
    passable: Path, safe: Surroundings, place: str
) -> None:
    here = replace(safe, storage=passable / "sweeps", data_dir=passable / "data")
    path = passable / place
    for folder in reversed(path.parents):
        if folder.is_relative_to(passable) and folder != passable:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
    path.mkdir() if place == "data" else path.touch()
    path.chmod(0o755)
    said = told(here, Risk.READABLE)
    assert "every account of this machine can read" in said
    assert "Smith" not in said
    path.chmod(0o700)
    assert not found(here, Risk.READABLE).is_problem


def test_telemetry_and_secrets_in_the_environment_are_found_by_name(safe: Surroundings) -> None:
    environment = {**TELLS_NOBODY, "RAY_USAGE_STATS_ENABLED": "1", "GITHUB_TOKEN": SECRET, "HF_TOKEN": SECRET}
    here = replace(safe, environment=environment)
    assert "set RAY_USAGE_STATS_ENABLED=0" in told(here, Risk.TELEMETRY)
    assert "1 secret that no sweep needs: GITHUB_TOKEN" in told(here, Risk.SECRETS)
    assert SECRET not in told(here, Risk.SECRETS)


def test_the_doctor_prints_a_line_per_check_and_ends_with_2_where_there_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    sweep = write_example(tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--strict", "--config", str(sweep)])
    lines = done.output.splitlines()
    assert done.exit_code == 2
    assert [line.split()[1] for line in lines] == [f"{risk}:" for risk in Risk]
    [root] = [line for line in lines if " root: " in line]
    assert root.startswith("problem root: this process runs as root -> ")


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A sweep whose task says that its data are sensitive, on a machine where root would train."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "orchestrator.cli.strict.gate.check_machine",
        lambda here: [Checked(Risk.ROOT, "this process runs as root", "do not"), Checked(Risk.RAY, "fine")],
    )

    def write(**keys: Any) -> Path:
        file = write_example(tmp_path)
        task = tmp_path / "mine" / "tasks" / "my-triage.yaml"
        task.write_text(task.read_text() + "data: sensitive\n")
        found = {"models": ["demo-tiny"], "methods": ["full"], "tasks": ["my-triage"]} | keys
        kept = {"name": "s", "catalogues": ["mine"], "data_dir": "data", "domains": ["general"], "seeds": [1]}
        file.write_text(json.dumps(kept | found))
        return file

    return write


def reached(sweep: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What the command printed until weights and data would have been read."""

    class ReachedError(Exception):
        pass

    def stop(*_: object, **__: object) -> None:
        raise ReachedError

    monkeypatch.setattr(staging, "stage", stop)
    done = CliRunner().invoke(app, [*words, str(sweep), "--launcher", "local"])
    if isinstance(done.exception, ConfigError):
        raise done.exception
    assert isinstance(done.exception, ReachedError), done.output
    return done.output


@pytest.mark.parametrize("words", [("run",), ("plan", "--measure")])
def test_a_sweep_over_sensitive_data_reads_nothing_where_a_check_fails(
    sweep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as refused:
        reached(sweep(), monkeypatch, *words)
    assert [problem.key for problem in refused.value.problems] == ["root"]
    assert "the data of my-triage are sensitive" in str(refused.value)
    assert "accepted_risks: [root]" in str(refused.value)


def test_a_task_of_the_catalogue_over_patient_text_needs_no_mark_by_the_user(
    sweep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = sweep(tasks=["mimic-mortality"])
    corpus = tmp_path / "data" / "mimic-mortality"
    corpus.mkdir()
    for split in ("train", "valid", "test"):
        (corpus / f"{split}.csv").write_text(f"text,hospital_expire_flag\n{split},0\n")
    with pytest.raises(ConfigError, match="the data of mimic-mortality are sensitive") as refused:
        reached(file, monkeypatch, "run")
    assert "accepted_risks: [root]" in str(refused.value)
    assert not (tmp_path / "sweeps").exists()


def test_it_starts_where_the_file_accepts_the_risk_and_says_so(
    sweep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = reached(sweep(accepted_risks=["root"]), monkeypatch, "run")
    assert "accepted risk root: this process runs as root" in said


@pytest.mark.parametrize(("task", "words"), [("my-triage", ("run", "--smoke")), ("my-ner", ("run",))])
def test_invented_data_and_unmarked_data_start_anywhere(
    sweep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, task: str, words: tuple[str, ...]
) -> None:
    assert "accepted" not in reached(sweep(tasks=[task]), monkeypatch, *words)
