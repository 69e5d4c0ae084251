"""`frontier clean`: what can go, what stays, and that the report does not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import Copy
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import HeldError, LaunchError
from orchestrator.storage.directories import MARKER

OLD = "0" * 16


def _fill(attempt: Path) -> None:
    """Give an attempt everything that one can leave."""
    for folder in (f"{layout.CHECKPOINTS}/{layout.checkpoint_name(20)}", layout.MODEL, layout.SENSITIVE):
        (attempt / folder).mkdir(parents=True)
        (attempt / folder / "file").write_bytes(b"x" * 1000)
        (attempt / folder / MARKER).write_text("{}")


@pytest.fixture
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    built = LedgerBuilder(Path("sweeps"), "demo")
    done, retried, failed, begun = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2, 3, 4])
    made = {
        "superseded": built.attempt(done, Fate(quality=0.7, fingerprint=OLD)),
        "decisive": built.attempt(done, Fate(quality=0.8)),
        "lost": built.attempt(retried, Fate(bill=False)),
        "resumed": built.attempt(retried, Fate(quality=0.8, resumed_from_step=20)),
        "failed": built.attempt(failed, Fate(failure=FailureKind.OUT_OF_MEMORY)),
        "unfinished": built.attempt(begun, Fate()),
    }
    for attempt in made.values():
        _fill(attempt)
    return made


def _clean(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["clean", *words, "--json"], catch_exceptions=False)
    return dict(json.loads(done.stdout))


def _report(sweep: str = "demo") -> bytes:
    CliRunner().invoke(app, ["report", sweep], catch_exceptions=False)
    return (Path("sweeps") / sweep / "report/report.json").read_bytes()


def test_nothing_is_deleted_without_yes(attempts: dict[str, Path]) -> None:
    before = sorted(Path("sweeps").rglob("*"))
    found = _clean("demo")
    assert found["deleted"] is False
    assert found["bytes"] == sum(folder["bytes"] for folder in found["folders"]) > 0
    assert sorted(Path("sweeps").rglob("*")) == before


def test_an_export_that_a_kill_left_goes(attempts: dict[str, Path]) -> None:
    draft = Path("sweeps/demo/.model.0123abcd.tmp")
    draft.mkdir()
    (draft / "model.safetensors").write_bytes(b"x" * 1000)
    found = [folder for folder in _clean("demo", "--yes")["folders"] if folder["kind"] == "drafts"]
    assert [folder["bytes"] for folder in found] == [1000]
    assert not draft.exists()


def test_what_goes_is_of_no_use_to_a_report_or_a_later_run(attempts: dict[str, Path]) -> None:
    assert _clean("demo", "--yes")["deleted"] is True
    left = {
        name: {folder.name for folder in attempt.iterdir() if folder.is_dir()}
        for name, attempt in attempts.items()
    }
    everything = {layout.CHECKPOINTS, layout.MODEL, layout.SENSITIVE}
    assert left == {
        "superseded": set(),
        "decisive": {layout.MODEL, layout.SENSITIVE},
        "lost": set(),
        "resumed": {layout.MODEL, layout.SENSITIVE},
        "failed": everything,
        "unfinished": everything,
    }


def test_the_report_is_the_same_before_and_after(attempts: dict[str, Path]) -> None:
    before = _report()
    _clean("demo", "--yes")
    assert _report() == before
    assert _clean("demo")["folders"] == []


def test_probes_go_whole(attempts: dict[str, Path]) -> None:
    probes = LedgerBuilder(Path("sweeps"), "demo-probes")
    short = Recipe(learning_rate=1e-3, steps=8, evaluations=2)
    for trial in probes.plan(["tiny"], ["general"], ["full"], seeds=[1], recipe=short):
        probes.attempt(trial, Fate(quality=0.1))
    before = _report()
    assert [f["kind"] for f in _clean("demo")["folders"]].count("probes") == 1
    _clean("demo", "--yes")
    assert not Path("sweeps/demo-probes").exists()
    assert _report() == before


def test_a_sweep_of_that_name_is_not_taken_for_probes(attempts: dict[str, Path]) -> None:
    own = LedgerBuilder(Path("sweeps"), "demo-probes")
    for trial in own.plan(["tiny"], ["general"], ["full"], seeds=[1]):
        _fill(own.attempt(trial, Fate(quality=0.8)))
    before = sorted(Path("sweeps/demo-probes").rglob("*"))
    assert any("holds no probes" in reason for reason in _clean("demo", "--yes")["kept"])
    assert [path for path in before if path.exists()] == before


def test_the_weights_of_a_result_stay_where_its_settings_have_changed(attempts: dict[str, Path]) -> None:
    """Nothing has taken its place yet, and the old settings may come back."""
    LedgerBuilder(Path("sweeps"), "demo").plan(
        ["tiny"], ["general"], ["full"], seeds=[1, 2, 3, 4], fingerprint="1" * 16
    )
    _clean("demo", "--yes")
    assert all((attempt / layout.MODEL / "file").is_file() for attempt in attempts.values())


def test_a_sweep_that_runs_is_left_alone(attempts: dict[str, Path]) -> None:
    builder = LedgerBuilder(Path("sweeps"), "demo")
    before = sorted(Path("sweeps/demo/trials").rglob("*"))
    with builder.ledger.lock():
        (reason,) = _clean("demo")["kept"]
        assert "runs this sweep: nothing can be deleted before it ends" in reason
        with pytest.raises(HeldError):
            _clean("demo", "--yes")
    assert sorted(Path("sweeps/demo/trials").rglob("*")) == before


def test_probes_that_run_stay(attempts: dict[str, Path]) -> None:
    probes = LedgerBuilder(Path("sweeps"), "demo-probes")
    probes.plan(["tiny"], ["general"], ["full"], seeds=[1])
    with probes.ledger.lock():
        assert any("demo-probes stays" in reason for reason in _clean("demo", "--yes")["kept"])
    assert (Path("sweeps/demo-probes") / layout.SWEEP).is_file()


def test_an_attempt_that_may_still_run_somewhere_keeps_its_checkpoints(attempts: dict[str, Path]) -> None:
    import time

    builder = LedgerBuilder(Path("sweeps"), "demo")
    (trial, *_) = builder.plan(["tiny"], ["general"], ["full"], seeds=[1, 2, 3, 4])
    orphan = builder.attempt(trial, Fate(bill=False, events=False))
    order = json.loads((orphan / layout.ORDER).read_text()) | {"ordered_at": time.time()}
    (orphan / layout.ORDER).write_text(json.dumps(order))
    _fill(orphan)
    assert not [f for f in _clean("demo")["folders"] if str(orphan.resolve()) in f["path"]]


def test_a_copy_is_not_cleaned(attempts: dict[str, Path]) -> None:
    copy = Copy(sweep="demo-1", host="h", namespace="n", fetched_at=0.0)
    (Path("sweeps/demo") / layout.COPY).write_text(copy.model_dump_json())
    with pytest.raises(LaunchError, match="nothing runs on a copy"):
        _clean("demo", "--yes")


def test_a_sweep_in_a_store_is_cleaned_there(
    attempts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTIER_MIRROR", str(tmp_path / "mirrors"))
    store = f"file://{tmp_path}/sweeps"
    on_disk = _clean("demo")["bytes"]
    found = _clean("demo", "--storage", store, "--yes")
    assert found["bytes"] == on_disk
    assert _clean("demo", "--storage", store)["folders"] == []
    assert (attempts["unfinished"] / layout.CHECKPOINTS / layout.checkpoint_name(20) / MARKER).is_file()
    assert (attempts["decisive"] / layout.MODEL / "file").is_file()


def test_sizes_are_shown_by_kind(attempts: dict[str, Path]) -> None:
    said = CliRunner().invoke(app, ["clean", "demo"], catch_exceptions=False).output
    assert "checkpoints of finished trials" in said
    assert "--yes deletes them" in said
    CliRunner().invoke(app, ["clean", "demo", "--yes"], catch_exceptions=False)
    said = CliRunner().invoke(app, ["clean", "demo"], catch_exceptions=False).output
    assert "demo: nothing can be deleted" in said
