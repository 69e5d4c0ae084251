"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distribution
import profiles
import pytest
import shipped_entries

from orchestrator.contracts.files import current_umask
from orchestrator.execution.ray.launcher import private_cluster_token

ROOT = Path(__file__).parents[1]

profiles.load()
shipped_entries.parse_once()
# Several processes share the cores. What the tests start sets its own number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Some CI services make typer draw for a terminal, or of a width of their own.
os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
os.environ.pop("TERMINAL_WIDTH", None)


gc.disable()  # until all modules of the tests are imported


def pytest_configure(config: pytest.Config) -> None:
    """Ray reads once whether a token is asked for, and which: when it is imported, by whichever test. What
    commands remember of corpora goes to a directory of this run."""
    private_cluster_token()
    own = tempfile.TemporaryDirectory(prefix="frontier-tests-")
    os.environ["XDG_CACHE_HOME"] = own.name
    config.add_cleanup(own.cleanup)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before pytest-xdist, which writes the groups into the names of the tests."""
    if config.pluginmanager.hasplugin("timeout"):
        distribution.limit(items)
    if hasattr(config, "workerinput"):  # this is one of several processes of pytest-xdist
        distribution.distribute(items)


def pytest_collection_finish() -> None:
    """What is loaded by now stays, torch and all tests among it. Looking for garbage in it again and again
    would take a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return distribution.processes()


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    """A command that a test calls in its own process takes the rights of other accounts away."""
    before = current_umask()
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that all processes of this run of the tests share."""
    ours = tmp_path_factory.getbasetemp()
    return ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours


@pytest.fixture(scope="session")
def mlflow_store(common: Path) -> Path:
    """Return an SQLite store of MLflow without experiments, to be copied: to create one takes 4 seconds."""

    def create(path: Path) -> None:
        from mlflow import MlflowClient

        MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)

    return distribution.once(common / "mlflow.db", create)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The public corpora: FRONTIER_TEST_DATA, or `shared/data` beside the repository."""
    found = Path(os.environ.get("FRONTIER_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not found.is_dir():
        pytest.skip("the public corpora are not here; set FRONTIER_TEST_DATA to their directory")
    return found


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """One for all tests that call Ray in this process. Two cores, private, no dashboard. Ray's sockets need a
    short path, so tmp_path will not do."""
    import execution_fakes
    import ray

    ray.cloudpickle.register_pickle_by_value(execution_fakes)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as directory:
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100 * 2**20,
            _temp_dir=directory,
        )
        yield ray
        ray.shutdown()
