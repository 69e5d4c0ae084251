"""A real MLflow server with accounts, on a real PostgreSQL; both on free loopback ports."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from workshop import wait_for

ADMIN, DRIVER = "admin", "frontier"
PREPARE = Path(__file__).parents[1] / "k8s" / "components" / "mlflow" / "prepare.py"


@dataclass(frozen=True)
class MlflowServer:
    uri: str
    password: str  # of the driver's account, an ordinary one as in a cluster
    admin_password: str

    def environment(self, user: str = DRIVER, password: str | None = None) -> dict[str, str]:
        """What a user sets to write there."""
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password or self.password,
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "120",  # a busy machine needs more than the 10 s of a driver
        }

    def add_reader(self, user: str) -> dict[str, str]:
        """An account that may look at everything, as `environment`."""
        environment = self.environment(user, secrets.token_hex(8))
        words = {"username": user, "password": environment["MLFLOW_TRACKING_PASSWORD"]}
        login = base64.b64encode(f"{ADMIN}:{self.admin_password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        url = f"{self.uri}/api/2.0/mlflow/users/create"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(words).encode(), headers)).close()
        return environment

    def runs(self, sweep: str) -> dict[str, Any]:
        """The active ones by trial, the summary left out."""
        from mlflow import MlflowClient

        with pytest.MonkeyPatch.context() as account:
            for name, value in self.environment().items():
                account.setenv(name, value)
            client = MlflowClient(self.uri)
            found = client.get_experiment_by_name(sweep)
            assert found is not None
            listed = client.search_runs([found.experiment_id], max_results=500)
        assert len({run.data.tags["frontier.trial"] for run in listed}) == len(listed)
        return {run.data.tags["frontier.trial"]: run for run in listed if "seed" in run.data.tags}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URI of a server, without a database; skipped where PostgreSQL is not installed."""
    if not _initdb():
        pytest.skip("PostgreSQL is not here; `apt-get install postgresql` brings /usr/lib/postgresql/*/bin")
    with running_postgres() as uri:
        yield uri


@pytest.fixture(scope="session")
def mlflow_server(postgres: str) -> Iterator[MlflowServer]:
    if importlib.util.find_spec("flask_wtf") is None:
        pytest.skip("MLflow's accounts need Flask-WTF, which the extra [dev] brings")
    with running_mlflow(postgres) as server:
        yield server


def _initdb() -> list[Path]:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@contextmanager
def running_postgres() -> Iterator[str]:
    initdb, account = _initdb()[-1], _account()
    directory = Path(tempfile.mkdtemp(prefix="frontier-postgres-", dir="/tmp"))
    password = secrets.token_hex(8)
    try:
        (directory / "password").write_text(password)
        if account:
            for path in (directory, directory / "password"):
                os.chown(path, account["user"], account["group"])
        data = directory / "data"
        words = ["-D", data, "-U", "frontier", "--auth=scram-sha-256", f"--pwfile={directory / 'password'}"]
        words += ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"]
        subprocess.run([initdb, *words], check=True, stdout=subprocess.DEVNULL, cwd="/", **account)
        port = free_port()
        command: list[str | Path] = [initdb.with_name("postgres"), "-D", data, "-p", str(port)]
        command += ["-h", "127.0.0.1", "-k", directory, "-F"]
        uri = f"postgresql://frontier:{password}@127.0.0.1:{port}"
        with _running(command, cwd="/", **account) as process:
            wait_for(lambda: _answers(uri, process), "PostgreSQL")
            yield uri
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_mlflow(postgres: str) -> Iterator[MlflowServer]:
    import psycopg

    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        for database in ("mlflow", "accounts"):
            connection.execute(f"CREATE DATABASE {database}")
    port, password, admin_password = free_port(), secrets.token_hex(8), secrets.token_hex(8)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")} | {
        "MLFLOW_AUTH_ADMIN_PASSWORD": admin_password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes that nobody here needs
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", f"{postgres}/mlflow"]
    uri = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="frontier-mlflow-") as directory:
        settings = Path(directory, "accounts.ini")
        settings.write_text(
            f"[mlflow]\ndefault_permission = READ\nadmin_username = {ADMIN}\n"
            f"database_uri = {postgres}/accounts\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            "auth_cache_ttl_seconds = 3600\n"  # each check of a password takes a tenth of a second of a core
        )
        environment["MLFLOW_AUTH_CONFIG_PATH"] = str(settings)
        account = {"MLFLOW_TRACKING_USERNAME": DRIVER, "MLFLOW_TRACKING_PASSWORD": password}
        store = {"MLFLOW_BACKEND_STORE_URI": f"{postgres}/mlflow", "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN}
        subprocess.run(
            [sys.executable, PREPARE], env=environment | account | store, check=True, cwd=directory
        )
        command += ["--artifacts-destination", f"{directory}/artifacts"]
        with _running(command, cwd=directory, env=environment, start_new_session=True) as process:
            wait_for(lambda: _healthy(f"{uri}/health", process), "the MLflow server")
            yield MlflowServer(uri, password, admin_password)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to be run by root: then by its own user, or by nobody."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def _running(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        try:
            yield process
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            process.terminate()
            process.wait(60)


def _answers(uri: str, process: subprocess.Popen[bytes]) -> bool:
    import psycopg

    assert process.poll() is None, "PostgreSQL has ended"
    try:
        psycopg.connect(f"{uri}/postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _healthy(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the MLflow server has ended"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
