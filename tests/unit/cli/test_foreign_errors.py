"""Whatever a library raises or prints while it holds a text: none of its words come out of the process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from canaries import planted

from orchestrator import cli
from orchestrator.cli.worker_calls import ask
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.requests import StageRequest
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import FrontierError

MARKER = "Zzpatientword"


@pytest.fixture
def task(tmp_path: Path) -> dict[str, Any]:
    """A task whose first training row does what the test says."""
    spec = {
        "title": "Mine",
        "kind": TaskKind.CLASSIFICATION,
        "domain": "clinical",
        "metric": MetricName.MACRO_F1,
        "labels": ["x", "y"],
        "reader": {
            "format": "csv",
            "text": "text",
            "label": "label",
            "files": {split: [f"{split}.csv"] for split in Split},
        },
    }
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "mine.yaml").write_text(json.dumps(spec))
    return {"name": "mine", **spec}


def write(root: Path, act: str) -> None:
    for split in Split:
        (root / f"{split}.csv").write_text(f"text,label\n{MARKER} act={act} {split},x\nb {split},y\n")


@pytest.mark.parametrize("act", ["exception", "panic", "group", "leave", "prints_and_fails", "crash"])
def test_staging_says_where_it_failed_in_none_of_the_words(
    tmp_path: Path,
    task: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    act: str,
) -> None:
    write(tmp_path, act)
    for name, value in planted("workers.stage").items():
        monkeypatch.setenv(name, value)
    request = StageRequest(
        cache_dir=str(tmp_path / "cache"), data_dir=str(tmp_path), tasks=(TaskSpec.model_validate(task),)
    )
    with pytest.raises(FrontierError) as failed:
        list(ask("workers.stage", request))
    said = f"{failed.value} {failed.value.__cause__!r} {failed.value.__context__!r} {capfd.readouterr()}"
    assert MARKER not in said
    where = "workers.stage ended by SIGSEGV" if act == "crash" else "workers/data/readers/tables.py"
    assert where in said


def test_a_worker_without_room_to_write_has_no_defect(
    tmp_path: Path, task: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "disk")
    for name, value in planted("workers.inspect").items():
        monkeypatch.setenv(name, value)
    words = [
        "frontier",
        "task",
        "inspect",
        "mine",
        "--catalogue",
        str(tmp_path / "mine"),
        f"data_dir={tmp_path}",
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capfd.readouterr()
    assert ended.value.code == 5
    assert said.err == (
        "frontier: No space left on device\n    -> free some disk space and rerun the command; it resumes\n"
    )
    assert MARKER not in said.out


@pytest.mark.parametrize(("act", "raised"), [("exception", "ValueError"), ("panic", "PanicException")])
@pytest.mark.parametrize(
    ("debug", "cluster", "shown"), [(False, False, False), (True, False, True), (True, True, False)]
)
def test_an_inspection_shows_the_words_only_to_who_asks_for_them_outside_a_cluster(
    tmp_path: Path,
    task: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    act: str,
    raised: str,
    debug: bool,
    cluster: bool,
    shown: bool,
) -> None:
    write(tmp_path, act)
    for name, value in planted("workers.inspect").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FRONTIER_DEBUG", "0")  # the command changes it
    if cluster:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    words = ["task", "inspect", "mine", f"data_dir={tmp_path}", "--catalogue", str(tmp_path / "mine")]
    storage = ["--storage", str(tmp_path / "sweeps")]
    monkeypatch.setattr(sys, "argv", ["frontier", *(["--debug"] if debug else []), *words, *storage])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 70
    printed = "".join(capfd.readouterr())
    assert (MARKER in printed) is shown
    assert raised in printed
    assert "workers/data/readers/tables.py" in printed
