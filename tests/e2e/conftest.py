"""Workshops, and the one finished sweep that most tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import distribution
import pytest
from mlflow_server import mlflow_server, postgres  # noqa: F401  # fixtures
from object_store import s3  # noqa: F401  # a fixture
from rig import why_not
from rig_sweep import KEYS, Calm, Sweep
from workshop import BACKBONE, NER, OUTCOME, Workshop

from orchestrator.contracts import layout


def build(root: Path, cache: Path) -> Workshop:
    for kind in ("backbones", "tasks"):
        (root / "catalogue" / kind).mkdir(parents=True)
    for domain in ("general", "clinical"):
        entry = root / "catalogue" / "backbones" / f"mini-{domain}.yaml"
        entry.write_text(BACKBONE.format(domain=domain))
    (root / "catalogue" / "tasks" / "mini-ner.yaml").write_text(NER)
    (root / "catalogue" / "tasks" / "mini-outcome.yaml").write_text(OUTCOME)
    (root / "sweeps").mkdir()
    (root / "sweeps" / "cache").symlink_to(cache)
    return Workshop(root)


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory, common: Path) -> Path:
    """Return the cache of all workshops, with the generated weights and data of the mini sweep."""

    def stage(cache: Path) -> None:
        cache.mkdir()
        workshop = build(tmp_path_factory.mktemp("stage"), cache)
        workshop.frontier("stage", workshop.write())

    return distribution.once(common / "cache", stage)


@pytest.fixture(scope="session")
def new_workshop(
    tmp_path_factory: pytest.TempPathFactory, staged: Path, mlflow_store: Path
) -> Callable[[], Workshop]:
    """Workshops share their cache, and nothing else. Each has an empty MLflow store."""

    def make() -> Workshop:
        workshop = build(tmp_path_factory.mktemp("workshop"), staged)
        shutil.copy(mlflow_store, workshop.sweeps / layout.MLFLOW_STORE)
        return workshop

    return make


@pytest.fixture(scope="session")
def finished(new_workshop: Callable[[], Workshop]) -> Workshop:
    """The mini sweep, run to its end on a local Ray cluster. Tests must not change its results."""
    workshop = new_workshop()
    (workshop.sweeps / layout.MLFLOW_STORE).unlink()  # a first run creates it
    done = workshop.frontier("run", workshop.write(concurrency=2))
    (workshop.root / "run.out").write_text(done.stdout)
    return workshop


@pytest.fixture(scope="session")
def calm(new_workshop: Callable[[], Workshop], common: Path) -> Calm:
    """`rig_sweep.KEYS`, run by local processes, for tests in which something happens to that sweep."""

    def run(root: Path) -> None:
        workshop = new_workshop()
        workshop.frontier("run", workshop.write(**{**KEYS, "concurrency": 1}), "--launcher", "local")
        workshop.root.rename(root)

    return Calm.of(Sweep(Workshop(distribution.once(common / "calm", run))))


@pytest.fixture(scope="session")
def nodes() -> None:
    """Skips where no nodes can be made of namespaces."""
    lacking = why_not()
    if lacking is not None:
        pytest.skip(f"no nodes can be made of namespaces here: {lacking}")
