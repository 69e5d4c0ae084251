"""What patient text must be safe from before a sweep reads it, and what was found of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Risk(StrEnum):
    """One check of `frontier doctor --strict`; `accepted_risks` of a sweep names those it may fail."""

    VERSIONS = "versions"  # packages that were never tested together, or that are known to clash
    STORAGE = "storage"  # records may be lost, or written twice
    MLFLOW = "mlflow"  # the tracking server answers without a login
    RAY = "ray"  # the Ray cluster answers without a token
    PASSWORDS = "passwords"  # a password that everybody knows, or that is guessed
    ROOT = "root"  # trials run as root
    READABLE = "readable"  # others can read corpora or records
    TELEMETRY = "telemetry"  # a library reports to its makers that it runs
    SECRETS = "secrets"  # the environment holds secrets that nothing here needs

    @property
    def consequence(self) -> str:
        """Return what may have been the case where the risk was accepted; it completes "it was accepted
        that"."""
        return _CONSEQUENCES[self]


_CONSEQUENCES = {
    Risk.VERSIONS: "packages of untested or clashing versions are used",
    Risk.STORAGE: "records may be lost or written twice",
    Risk.MLFLOW: "MLflow may answer without a login",
    Risk.RAY: "the Ray cluster may answer without a token",
    Risk.PASSWORDS: "passwords may be known or guessed",
    Risk.ROOT: "trials may run as root",
    Risk.READABLE: "others may read corpora or records",
    Risk.TELEMETRY: "a library may tell its makers that it runs",
    Risk.SECRETS: "the environment may hold secrets that no sweep needs",
}


@dataclass(frozen=True)
class Checked:
    """What one check found. What may not be looked at is a problem too. A check that is not ready has no
    problem, but has not passed."""

    risk: Risk
    words: str
    fix: str | None = None  # None: it is as it should be, as far as it was seen
    is_seen: bool = True

    @property
    def is_problem(self) -> bool:
        return self.fix is not None
