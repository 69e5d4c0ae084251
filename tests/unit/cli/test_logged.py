"""Models that go to MLflow: what is asked first, and what one failure leaves of the others."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder
from rich.console import Console

from orchestrator.cli.export import logged
from orchestrator.contracts import layout
from orchestrator.errors import TrackingError
from orchestrator.report import build_report
from orchestrator.tracking.mlflow_models import LoggableModel


class Store:
    """Takes every model, if it has room."""

    def __init__(self, room: bool = True) -> None:
        self.room, self.names = room, list[str]()

    def has_model(self, name: str, digest: str) -> bool:
        return False

    def refuse_no_room(self) -> None:
        if not self.room:
            raise TrackingError("no room")

    def log_model(self, name: str, digest: str, model: LoggableModel) -> None:
        self.names.append(name)


def log(tmp_path: Path, store: Store) -> tuple[int, str]:
    """Log the models of two seeds; how many, and what was printed."""
    builder = LedgerBuilder(tmp_path)
    for trial in builder.plan(["tiny"], ["general"], ["full"], seeds=[11, 12]):
        (builder.attempt(trial, Fate(quality=0.8)) / layout.MODEL).mkdir()
    report = build_report(builder.ledger.sweep(), list(builder.ledger.trials()))
    printed = io.StringIO()
    count = logged.log_models(builder.ledger, report, Console(file=printed, width=200), store)
    return count, printed.getvalue()


def test_an_export_that_fails_strangely_is_named_without_what_the_error_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_: Any, __: Any, chosen: Any, *___: Any) -> Any:
        if chosen.trial.planned.seed == 11:
            raise KeyError("Zzpatientword")
        return SimpleNamespace(use=SimpleNamespace(paired=False)), SimpleNamespace(mlflow_code="")

    monkeypatch.setattr(logged, "write_contents", write)
    store = Store()
    count, printed = log(tmp_path, store)
    assert count == 1
    assert [name.rpartition("/")[2] for name in store.names] == ["seed-12"]
    assert "1 model (tiny/general/full/outcome/seed-11): its export failed (KeyError)" in printed
    assert "Zzpatientword" not in printed


def test_nothing_is_exported_for_a_server_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(logged, "write_contents")
    with pytest.raises(TrackingError, match="no room"):
        log(tmp_path, Store(room=False))


def test_weights_that_no_export_can_read_are_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise TrackingError("refused")

    monkeypatch.delattr(logged, "is_here")
    monkeypatch.setattr(logged, "refuse_state_space", refuse)
    with pytest.raises(TrackingError, match="refused"):
        log(tmp_path, Store())
