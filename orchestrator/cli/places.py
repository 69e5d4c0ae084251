"""Where things are: from the words of a command line to directories."""

from __future__ import annotations

from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.errors import Complaint, ConfigError, did_you_mean

CACHE = "cache"  # below the storage: made weights and data, digests


def cache_of(storage: Path) -> Path:
    return storage / CACHE


def find_sweep(sweep: str, storage: Path) -> Path:
    """The directory of a sweep, by its name below `storage` or by a path; else a ConfigError."""
    for directory in (storage / sweep, Path(sweep)):
        if (directory / layout.SWEEP).is_file():
            return directory.resolve()
    known = [p.parent.name for p in storage.glob(f"*/{layout.SWEEP}")]
    remedy = did_you_mean(sweep, known) if known else "run a sweep first, or give --storage"
    raise ConfigError([Complaint(str(storage), "", f"there is no sweep {sweep!r}", remedy)])


def mlflow_uri(storage: Path, from_environment: str | None) -> str:
    """MLFLOW_TRACKING_URI where it is set, else a store beside the sweeps."""
    return from_environment or f"sqlite:///{(storage / layout.MLFLOW_STORE).resolve()}"
