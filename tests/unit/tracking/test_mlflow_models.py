"""Models of runs in a real sqlite store: one per run, of its weights, deleted with it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd  # before MLflow, whose models are loaded here: our client imports it without
import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts import layout
from orchestrator.contracts.exported import LOGGED_FOLDER
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.errors import TrackingError
from orchestrator.tracking.mlflow_model_store import RunModels
from orchestrator.tracking.mlflow_models import MODEL, MODEL_ID, LoggableModel, refuse_no_room
from orchestrator.tracking.mlflow_store import RunStore
from orchestrator.tracking.mlflow_view import MlflowView, sync
from orchestrator.tracking.published import RunsInStore
from orchestrator.tracking.trial_costs import totals_of

CODE = """
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Answering(PythonModel):
    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"label": ["yes"] * len(model_input)})

set_model(Answering())
"""


@dataclass(frozen=True)
class Lab:
    """A finished trial with its run, and the store."""

    builder: LedgerBuilder
    trial: PlannedTrial
    uri: str
    root: Path

    @property
    def record(self) -> TrialRecord:
        return self.builder.ledger.trial(self.trial)

    @property
    def digest(self) -> str:
        return f"{self.trial.fingerprint}-001"

    def store(self) -> RunModels:
        return RunStore(self.uri, self.builder.ledger.sweep()).models

    def model(self, weights: str = "w") -> LoggableModel:
        folder = self.root / weights
        (folder / LOGGED_FOLDER).mkdir(parents=True)
        (folder / LOGGED_FOLDER / "model.safetensors").write_text(weights)
        return LoggableModel(folder, CODE, ("text",))

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def run(self) -> Any:
        [experiment] = [e for e in self.client().search_experiments() if e.name == self.builder.sweep.name]
        [run] = [r for r in self.client().search_runs([experiment.experiment_id]) if "seed" in r.data.tags]
        return run

    def models(self) -> list[Any]:
        return list(self.client().search_logged_models([self.run().info.experiment_id]))


@pytest.fixture
def lab(tmp_path: Path, mlflow_store: Path) -> Lab:
    builder = LedgerBuilder(tmp_path / "sweeps", "one")
    [trial] = builder.plan(["tiny"], ["general"], ["full"], seeds=[11])
    builder.attempt(trial, Fate(quality=0.8))
    uri = f"sqlite:///{shutil.copy(mlflow_store, tmp_path / 'mlflow.db')}"
    found = Lab(builder, trial, uri, tmp_path / "models")
    sync(builder.ledger, uri)
    return found


def test_a_model_is_one_of_its_run_and_loads(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    store = lab.store()
    assert not store.has_model(lab.trial.name, lab.digest)
    store.log_model(lab.trial.name, lab.digest, lab.model())
    assert lab.store().has_model(lab.trial.name, lab.digest)
    run, [model] = lab.run(), lab.models()
    assert (run.data.tags[MODEL], run.data.tags[MODEL_ID]) == (lab.digest, model.model_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert (model.name, str(model.status)) == ("model", "READY")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", lab.uri)
    for address in (f"models:/{model.model_id}", f"runs:/{run.info.run_id}/model"):
        loaded = mlflow.pyfunc.load_model(address)
        assert loaded.predict(pd.DataFrame({"text": ["a"]})).to_dict("records") == [{"label": "yes"}]
    with pytest.raises(mlflow.MlflowException, match="text"):
        loaded.predict(pd.DataFrame({"note": ["a"]}))
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model.model_id}"))
    added = ("registered_model_meta", "__pycache__")  # by those who loaded it
    assert sorted(path.name for path in folder.iterdir() if path.name not in added) == [
        "MLmodel",
        LOGGED_FOLDER,
        "model.py",
        "python_env.yaml",
        "requirements.txt",
    ]
    assert "saved_input_example" not in (folder / "MLmodel").read_text()
    assert str(lab.root) not in "".join(p.read_text() for p in folder.iterdir() if p.is_file())


def test_a_run_that_is_written_again_keeps_its_model(lab: Lab) -> None:
    lab.store().log_model(lab.trial.name, lab.digest, lab.model())
    [model] = lab.models()
    before = lab.run().info.run_id
    events = Path(lab.record.attempts[0].directory) / layout.EVENTS
    events.write_text(events.read_text() + "\n")  # a longer log: another digest of the run
    assert sync(lab.builder.ledger, lab.uri).published == 1
    assert lab.run().info.run_id != before
    assert lab.run().data.tags[MODEL_ID] == model.model_id
    assert [output.model_id for output in lab.run().outputs.model_outputs] == [model.model_id]
    assert [m.model_id for m in lab.models()] == [model.model_id]
    assert lab.store().has_model(lab.trial.name, lab.digest)


def test_other_weights_replace_a_model(lab: Lab) -> None:
    lab.store().log_model(lab.trial.name, lab.digest, lab.model())
    [first] = lab.models()
    again = f"{lab.trial.fingerprint}-002"
    store = lab.store()
    assert not store.has_model(lab.trial.name, again)
    store.log_model(lab.trial.name, again, lab.model("others"))
    [second] = lab.models()
    assert second.model_id != first.model_id
    assert lab.run().data.tags[MODEL_ID] == second.model_id


def test_an_upload_that_failed_leaves_no_model_after_the_next(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_model_artifacts", fail)
        with pytest.raises(TrackingError, match="cannot be written"):
            lab.store().log_model(lab.trial.name, lab.digest, lab.model())
    assert not lab.store().has_model(lab.trial.name, lab.digest)
    lab.store().log_model(lab.trial.name, lab.digest, lab.model("again"))
    assert [str(model.status) for model in lab.models()] == ["READY"]


def test_what_somebody_else_has_logged_to_the_run_stays(lab: Lab) -> None:
    client, run = lab.client(), lab.run().info
    theirs = client.create_logged_model(run.experiment_id, name="mine", source_run_id=run.run_id)
    ours = client.create_logged_model(
        run.experiment_id, name="model", source_run_id=run.run_id, tags={MODEL: "x"}
    )
    for model in (theirs, ours):  # one has our tag, but the run does not name it: another driver logs it now
        client.finalize_logged_model(model.model_id, "READY")
    lab.store().log_model(lab.trial.name, lab.digest, lab.model())
    assert {theirs.model_id, ours.model_id} < {model.model_id for model in lab.models()}


def test_a_sync_logs_a_model_again_that_somebody_has_deleted(lab: Lab) -> None:
    lab.store().log_model(lab.trial.name, lab.digest, lab.model())
    lab.client().delete_logged_model(lab.run().data.tags[MODEL_ID])
    store = lab.store()
    assert not store.has_model(lab.trial.name, lab.digest)
    store.log_model(lab.trial.name, lab.digest, lab.model("again"))
    assert store.has_model(lab.trial.name, lab.digest)
    assert [model.model_id for model in lab.models()] == [lab.run().data.tags[MODEL_ID]]


def test_a_model_is_deleted_with_its_run(lab: Lab) -> None:
    lab.store().log_model(lab.trial.name, lab.digest, lab.model())
    experiment = lab.run().info.experiment_id
    for attempt in lab.record.attempts:
        shutil.rmtree(attempt.directory)
    assert sync(lab.builder.ledger, lab.uri).retired == 1
    assert list(lab.client().search_logged_models([experiment])) == []


def test_a_second_command_need_not_ask_for_a_model(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def view() -> MlflowView:
        return MlflowView(lab.uri, lab.builder.sweep, RunsInStore(lab.uri, lab.builder.ledger.directory))

    def log(store: RunModels) -> int:
        if store.has_model(lab.trial.name, lab.digest):
            return 0
        store.log_model(lab.trial.name, lab.digest, lab.model())
        return 1

    first = view()
    first.publish(lab.record)
    first.publish_summary(totals_of([lab.record], 0))
    first.publish_models(log)
    assert len(lab.models()) == 1
    monkeypatch.delattr("orchestrator.tracking.mlflow_experiment._open")
    for _ in range(2):  # the first leaves what the second goes by
        later = view()
        later.publish(lab.record)
        later.publish_summary(totals_of([lab.record], 0))
        later.publish_models(log)
        assert (later.warning, later.unlogged) == (None, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [(TrackingError("no room"), "no room"), (KeyError("a note"), "models could not be logged (KeyError)")],
)
def test_models_that_fail_are_no_missing_runs(lab: Lab, error: Exception, told: str) -> None:
    def fail(store: RunModels) -> int:
        raise error

    view = MlflowView(lab.uri, lab.builder.sweep)
    view.publish_models(fail)
    assert (view.warning, view.unlogged) == (None, told)


@pytest.mark.parametrize(
    ("uri", "place", "refused"),
    [
        ("https://mlflow.hospital", "/tmp/no-artifact-store/1", True),
        ("https://mlflow.hospital", "mlflow-artifacts:/1", False),
        ("https://mlflow.hospital", "s3://bucket/1", False),
        ("sqlite:///mlflow.db", "file:///sweeps/mlartifacts/1", False),
    ],
)
def test_a_server_without_artifacts_gets_no_models(uri: str, place: str, refused: bool) -> None:
    class Client:
        def get_experiment(self, identity: str) -> Any:
            return type("Experiment", (), {"artifact_location": place})

    client: Any = Client()
    if not refused:
        refuse_no_room(client, "1", uri)
        return
    with pytest.raises(TrackingError, match="keeps no artifacts") as told:
        refuse_no_room(client, "1", uri)
    assert "--serve-artifacts" in str(told.value)
