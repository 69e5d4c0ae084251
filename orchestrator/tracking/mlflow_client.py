"""The client of an MLflow store, without what MLflow imports for data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.contracts.hidden import hidden

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow works without them, as its package mlflow-skinny does: a fifth of the CPU time of its imports.
_UNUSED = ("pandas", "pyarrow")


def client_of(uri: str) -> MlflowClient:
    """Return a client of the store at a tracking URI. It opens a database at once and asks a server later."""
    with hidden(*_UNUSED):
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri)
