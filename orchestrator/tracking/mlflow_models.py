"""The models of a sweep in MLflow: an exported folder each, and what `mlflow.pyfunc` needs to load it.

The run of a model has its id as a tag.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.errors import TrackingError
from orchestrator.tracking.tracking_uri import SERVERS, without_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

MODEL = "frontier.model"  # the tag of a run that says which weights its model has
MODEL_ID = "frontier.model_id"
_NAME = "model"
_CODE, _REQUIREMENTS, _PYTHON = "model.py", "requirements.txt", "python_env.yaml"
_LIBRARIES = ("torch", "transformers", "tokenizers", "sentencepiece", "peft", "safetensors")
_TABLES = ("pandas", "mlflow")


@dataclass(frozen=True)
class LoggableModel:
    """`folder` holds the export, in LOGGED_FOLDER, and nothing else; `code` loads it; `columns` of texts."""

    folder: Path
    code: str
    columns: Sequence[str]


def log_model(client: MlflowClient, run: str, digest: str, model: LoggableModel) -> dict[str, str]:
    """Upload the model of a run, and return the tags that tie it to the run. Then delete the one that the run
    named before, and what an interrupted upload left; what somebody else has logged to the run stays."""
    from mlflow.entities import LoggedModelOutput, RunTag

    before = client.get_run(run)
    experiment = before.info.experiment_id
    logged = client.create_logged_model(experiment, name=_NAME, source_run_id=run, tags={MODEL: digest})
    _write_beside(model, logged.model_id, run)
    client.log_model_artifacts(logged.model_id, str(model.folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run, [LoggedModelOutput(logged.model_id, step=0)])
    tags = {MODEL: digest, MODEL_ID: logged.model_id}
    client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
    delete_model(client, before.data.tags)
    for other in client.search_logged_models([experiment], filter_string=f"source_run_id = '{run}'"):
        if MODEL in other.tags and not _is_whole(other) and other.model_id != logged.model_id:
            client.delete_logged_model(other.model_id)
    return tags


def models_in(client: MlflowClient, experiment: str) -> set[str]:
    """Return the ids of our models in an experiment that are whole and not deleted."""
    ids, token = set[str](), None
    while True:
        page = client.search_logged_models([experiment], page_token=token)
        ids |= {model.model_id for model in page if MODEL in model.tags and _is_whole(model)}
        if not (token := page.token):
            return ids


def _is_whole(model: LoggedModel) -> bool:
    return str(model.status) == "READY"


def _write_beside(model: LoggableModel, identity: str, run: str) -> None:
    """Write what MLflow reads to the folder. No example of an input is in it: the signature has the names of
    columns alone."""
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema

    (model.folder / _CODE).write_text(model.code)
    (model.folder / _REQUIREMENTS).write_text("".join(f"{line}\n" for line in _requirements()))
    python = ".".join(map(str, sys.version_info[:3]))
    (model.folder / _PYTHON).write_text(
        f"python: {python}\nbuild_dependencies: [pip]\ndependencies: [-r {_REQUIREMENTS}]\n"
    )
    pyfunc = {
        "loader_module": "mlflow.pyfunc.loaders.code_model",
        "model_code_path": _CODE,
        "python_version": python,
        "env": {"virtualenv": _PYTHON},
    }
    Model(
        model_id=identity,
        model_uuid=identity,
        run_id=run,
        flavors={"python_function": pyfunc},
        signature=ModelSignature(Schema([ColSpec("string", name) for name in model.columns])),
    ).save(str(model.folder / "MLmodel"))


def _requirements() -> list[str]:
    pins = []
    for package in (*_LIBRARIES, *_TABLES):
        try:
            pins.append(f"{package}=={version(package).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return pins


def carry_over(client: MlflowClient, tags: Mapping[str, str], run: str, fingerprint: str) -> dict[str, str]:
    """Tie the model of a run that is about to be deleted to the one that replaces it, and return the tags for
    that. The model is deleted where the new run has another fingerprint."""
    from mlflow.entities import LoggedModelOutput, RunTag

    if MODEL_ID not in tags:
        return {}
    if not tags[MODEL].startswith(fingerprint):
        delete_model(client, tags)
        return {}
    kept = {key: tags[key] for key in (MODEL, MODEL_ID)}
    client.log_outputs(run, [LoggedModelOutput(kept[MODEL_ID], step=0)])
    client.log_batch(run, tags=[RunTag(key, value) for key, value in kept.items()])
    return kept


def delete_model(client: MlflowClient, tags: Mapping[str, str]) -> None:
    """Delete the model of a run with these tags, as MLflow deletes: its files stay until `mlflow gc`. One
    that somebody has deleted is no error."""
    from mlflow.exceptions import MlflowException

    if MODEL_ID not in tags:
        return
    try:
        client.delete_logged_model(tags[MODEL_ID])
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def refuse_no_room(client: MlflowClient, experiment: str, uri: str) -> None:
    """Raise TrackingError where the server keeps no artifacts: what is logged would go to a path of this
    machine, which users of the server cannot read."""
    place = urlsplit(client.get_experiment(experiment).artifact_location)
    if uri.startswith(SERVERS) and place.scheme in ("", "file"):
        raise TrackingError(
            f"MLflow at {without_secrets(uri)} keeps no artifacts: those of this experiment belong in "
            f"{place.path}, a path of each client's own machine; no model was logged\n"
            "    -> start the server with --serve-artifacts or with --default-artifact-root s3://…, and give "
            "the sweep another name: an experiment keeps its first place; or remove log_models"
        )
