"""The mark of records that are a copy: they were fetched from a cluster, and are never written to."""

from __future__ import annotations

from pathlib import Path

from pydantic import NonNegativeFloat, ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.record import Record


class Copy(Record):
    sweep: str  # its id in the cluster
    host: str  # of the API server
    namespace: str
    context: str | None = None  # of the kubeconfig, that it was fetched by
    fetched_at: NonNegativeFloat  # Unix seconds

    def is_of_the_same(self, other: Copy) -> bool:
        """Return whether both are copies of one sweep."""
        return (self.sweep, self.host, self.namespace) == (other.sweep, other.host, other.namespace)

    def __str__(self) -> str:
        return f"a copy of {self.sweep} in namespace {self.namespace} of {self.host}"


def copy_in(directory: Path) -> Copy | None:
    """Return the mark of a sweep's directory; None if its records are the sweep's own."""
    try:
        return Copy.model_validate_json((directory / layout.COPY).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:
        return Copy(sweep=directory.name, host="unknown", namespace="unknown", fetched_at=0.0)
