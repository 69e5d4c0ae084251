"""Each fold of a seed is a trial of its own, and a probe is one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import load_sweep
from orchestrator.contracts.readers import TableReader
from orchestrator.planning import Plan, make_plan
from orchestrator.planning.fingerprints import fingerprint
from orchestrator.planning.kept_weights import logged_bytes, weights_forecast
from orchestrator.planning.plan import trial_spec
from orchestrator.planning.probes import probe_sweep

from .conftest import inputs

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Plan a sweep over letters with five folds, with keys of the sweep and of `hold_out` changed."""
    reader = {"format": "csv", "text": "letter", "label": "urgency", "files": {"train": ["letters.csv"]}}
    task = {"title": "Letters", "kind": "classification", "domain": "clinical", "metric": "macro_f1"}
    (tmp_path / "mine" / "tasks").mkdir(parents=True)

    def _planned(folds: int = 5, history: Any = None, **keys: Any) -> Plan:
        hold_out = {"dev": 0.2, "folds": folds}
        entry = {**task, "train_examples": 200, "mean_tokens": 20, "reader": {**reader, "hold_out": hold_out}}
        (tmp_path / "mine" / "tasks" / "letters.yaml").write_text(yaml.safe_dump(entry))
        sweep = {
            "name": "ours",
            "catalogues": ["mine"],
            "data_dir": ".",
            "models": ["tiny"],
            "domains": ["general"],
            "methods": ["full"],
            "tasks": ["letters"],
            "seeds": [12, 34],
        }
        (tmp_path / "ours.yaml").write_text(yaml.safe_dump(sweep | keys))
        resolved = load_sweep(tmp_path / "ours.yaml", cwd=tmp_path)
        return make_plan(resolved, inputs(resolved), history or {})

    return _planned


def test_each_seed_has_a_trial_per_fold_and_all_of_one_seed_come_first(planned: Planned) -> None:
    plan = planned()
    names = [trial.name.rpartition("/")[2] for trial in plan.trials]
    assert names == [f"seed-{seed}-fold-{fold}" for seed in (12, 34) for fold in range(1, 6)]
    assert [item.trial.seed for item in plan.to_run] == [12] * 5 + [34] * 5
    assert len({trial.fingerprint for trial in plan.trials}) == 10
    assert all(fingerprint(plan.spec(trial)) == trial.fingerprint for trial in plan.trials)
    assert all(plan.spec(trial).fold == trial.fold for trial in plan.trials)


def test_a_finished_fold_is_not_run_again(planned: Planned, finished: Any) -> None:
    first = planned()
    again = planned(history=finished(first, first.trials[:3]))
    assert [trial.name for trial in again.up_to_date] == [trial.name for trial in first.trials[:3]]
    assert len(again.to_run) == 7


def test_other_folds_make_all_trials_stale(planned: Planned, finished: Any) -> None:
    first = planned()
    again = planned(4, finished(first, first.trials))
    assert {item.reason for item in again.to_run} == {"stale"}
    assert {item.changed for item in again.to_run} == {("task.reader.hold_out.folds: 5 -> 4",)}


def test_a_probe_is_one_fold(planned: Planned) -> None:
    plan = planned()
    probes = make_plan(probe_sweep(plan.sweep), plan.inputs, {})
    assert [trial.name.rpartition("/")[2] for trial in probes.trials] == ["seed-12-fold-1"]


def test_a_search_beside_folds_is_refused(planned: Planned) -> None:
    method = {"name": "full", "tune": {"trials": 2, "space": {"learning_rate": [1e-5, 1e-4]}}}
    with pytest.raises(Exception, match="a search would choose by dev rows that other folds test"):
        planned(methods=[method])


def test_a_rehearsal_has_two_folds_of_invented_rows(planned: Planned) -> None:
    from orchestrator.config.smoke import smoke_grid

    [cell] = smoke_grid(planned().sweep.grid).cells
    assert isinstance(cell.task.spec.reader, TableReader)
    assert cell.task.spec.folds == 2
    assert len(cell.folds) == 2


def test_a_task_without_folds_keeps_its_fingerprints(plan: Any) -> None:
    trial = plan().trials[0]
    spec = trial_spec(plan().cells[trial.cell.name], plan().inputs, trial)
    assert "fold" not in spec.model_dump_json()


def test_each_fold_may_leave_a_model_here_and_in_mlflow(planned: Planned) -> None:
    plan = planned(keep_weights="all", log_models=True)
    forecast = weights_forecast(planned(keep_weights="frontier", keep_gib=1000))
    assert forecast is not None
    assert forecast.each is not None
    assert logged_bytes(plan) == forecast.kept == 2 * 5 * forecast.each
