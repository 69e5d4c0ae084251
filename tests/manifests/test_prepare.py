"""The init container of MLflow's server, beside a stand-in for MLflow that writes down what it was asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PREPARE = Path(__file__).parents[2] / "k8s" / "components" / "mlflow" / "prepare.py"
MLFLOW = {
    **{f"{package}__init__.py": "" for package in ("", "server/", "server/auth/")},
    "cli.py": "def cli(words, standalone_mode): print(*words[:2])",
    "server/auth/config.py": "def read_auth_config(): return type('Config', (), {'database_uri': 'sqlite://'})",
    "server/auth/sqlalchemy_store.py": (
        "class SqlAlchemyStore:\n"
        "    def init_db(self, uri): pass\n"
        "    def has_user(self, name): return False\n"
        "    def create_user(self, name, password, is_admin): print('account', name, is_admin)\n"
    ),
}


@pytest.fixture
def mlflow(tmp_path: Path) -> Path:
    for name, code in MLFLOW.items():
        file = tmp_path / "mlflow" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    return tmp_path


def prepared(mlflow: Path, driver: str) -> str:
    environment = {
        "PYTHONPATH": str(mlflow),
        "MLFLOW_BACKEND_STORE_URI": "sqlite://",
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_TRACKING_USERNAME": driver,
        "MLFLOW_TRACKING_PASSWORD": "9f9f9f9f9f9f",
    }
    return subprocess.run(
        [sys.executable, PREPARE], env=environment, cwd=mlflow, capture_output=True, text=True, check=True
    ).stdout


def test_the_driver_gets_an_ordinary_account(mlflow: Path) -> None:
    assert prepared(mlflow, "frontier") == "db upgrade\naccount frontier False\n"


def test_a_driver_with_the_name_of_the_admin_is_told_of(mlflow: Path) -> None:
    said = prepared(mlflow, "admin")
    assert said.startswith("db upgrade\nwarning: the driver logs in to MLflow as its admin, admin,")
    assert "-> set MLFLOW_TRACKING_USERNAME of the Secret frontier-mlflow to another name" in said
    assert "account" not in said
    assert "9f9f" not in said
