"""The models of a sweep's runs in MLflow: which run has the model of its weights, and which lacks it."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.errors import TrackingError
from orchestrator.tracking.mlflow_experiment import SweepExperiment
from orchestrator.tracking.mlflow_models import (
    MODEL,
    MODEL_ID,
    LoggableModel,
    log_model,
    models_in,
    refuse_no_room,
)
from orchestrator.tracking.published import RunsInStore


class RunModels:
    """At most one model per run. Every failure is a TrackingError."""

    def __init__(self, experiment: SweepExperiment, published: RunsInStore | None) -> None:
        self._experiment, self._published = experiment, published
        self._present: set[str] | None = None  # ids of the experiment's models; None: not asked yet

    def has_model(self, name: str, digest: str) -> bool:
        """Return whether the run of that name has the model with this digest, one that was not deleted."""
        published = self._published
        known = published is not None and published.says(_remembered_as(name), digest)
        if not known or self._experiment.connected:
            with self._experiment.reached() as client:
                if self._present is None:
                    self._present = models_in(client, self._experiment.identity)
            run = self._experiment.runs.get(name)
            known = (
                run is not None and run.tags.get(MODEL) == digest and run.tags.get(MODEL_ID) in self._present
            )
        if known and published is not None:
            published.note(_remembered_as(name), digest)
        return known

    def refuse_no_room(self) -> None:
        """Raise TrackingError where the store takes no models."""
        with self._experiment.reached() as client:
            refuse_no_room(client, self._experiment.identity, self._experiment.uri)

    def log_model(self, name: str, digest: str, model: LoggableModel) -> None:
        """Log the model to the run of that name. Raises TrackingError where there is no such run."""
        with self._experiment.reached() as client:
            runs = self._experiment.runs
            if name not in runs:
                raise TrackingError(f"{name} has no run for its model\n    -> `frontier sync` writes both")
            run = runs[name]
            tags = log_model(client, run.identity, digest, model)
            runs[name] = replace(run, tags={**run.tags, **tags})
            if self._present is not None:
                self._present.add(tags[MODEL_ID])
        if self._published is not None:
            self._published.note(_remembered_as(name), digest)


def _remembered_as(name: str) -> str:
    """Return under which name the model of a run is remembered in `published.json`."""
    return f"model of {name}"
