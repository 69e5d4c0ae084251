"""The address of an MLflow store, what of it may be printed, and the settings that mlflow reads at import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from orchestrator.contracts import layout
from orchestrator.contracts.credentials import is_credential
from orchestrator.errors import ConfigError, Problem

VARIABLE = "MLFLOW_TRACKING_URI"
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"  # mlflow reads them
SQLITE = "sqlite:///"
SERVERS = ("http://", "https://")
_MASK = "***"
_ARTIFACTS = "mlartifacts"


def quiet_environment() -> dict[str, str]:
    """Variables to set, where the user has not, before mlflow is imported: no telemetry, no long retries."""
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }


def tracking_uri(storage: Path, environment: Mapping[str, str]) -> str:
    """Return MLFLOW_TRACKING_URI where it is set, else that of a store beside the sweeps.

    Raises ConfigError where it is a server's and holds a login: mlflow would print it in its own messages.
    """
    uri = environment.get(VARIABLE)
    if not uri:
        return f"{SQLITE}{(storage / layout.MLFLOW_STORE).resolve()}"
    if uri.startswith(SERVERS) and "@" in urlsplit(uri).netloc:
        problem = f"{without_secrets(uri)} holds a login"
        raise ConfigError([Problem(VARIABLE, "", problem, f"remove it, and set {USER} and {PASSWORD}")])
    return uri


def store_file(uri: str) -> Path | None:
    """Return the file of a store of this machine; None for a server and a database elsewhere."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def artifact_root(uri: str) -> str | None:
    """Return where a store of this machine keeps artifacts: beside its file, where MLflow's default is the
    working directory. None: a server has a folder of its own."""
    file = store_file(uri)
    return None if file is None else file.resolve().with_name(_ARTIFACTS).as_uri()


def without_secrets(uri: str) -> str:
    """Return the address as it may be printed: passwords, in front of the host or as parameters, masked."""
    parts = urlsplit(uri)
    login, at, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    netloc = f"{user}{colon}{_MASK if colon else ''}{at}{host}"
    query = "&".join(_shown(parameter) for parameter in parts.query.split("&"))
    if (netloc, query) == (parts.netloc, parts.query):
        return uri
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def _shown(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}{equals}{_MASK}" if is_credential(name) else parameter
