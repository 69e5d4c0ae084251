"""Workshops, and the one finished sweep that most tests look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mlflow_server import mlflow_server, postgres  # noqa: F401  # fixtures
from object_store import s3  # noqa: F401  # a fixture
from rig import why_not
from workshop import BACKBONE, NER, OUTCOME, Workshop


@pytest.fixture(scope="session")
def new_workshop(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workshop]:
    """Workshops share what is made on the spot, and nothing else."""
    shared = tmp_path_factory.mktemp("made")

    def make() -> Workshop:
        root = tmp_path_factory.mktemp("workshop")
        for kind in ("backbones", "tasks"):
            (root / "catalogue" / kind).mkdir(parents=True)
        for domain in ("general", "clinical"):
            entry = root / "catalogue" / "backbones" / f"mini-{domain}.yaml"
            entry.write_text(BACKBONE.format(domain=domain))
        (root / "catalogue" / "tasks" / "mini-ner.yaml").write_text(NER)
        (root / "catalogue" / "tasks" / "mini-outcome.yaml").write_text(OUTCOME)
        (root / "sweeps").mkdir()
        (root / "sweeps" / "cache").symlink_to(shared)
        return Workshop(root)

    return make


@pytest.fixture(scope="session")
def finished(new_workshop: Callable[[], Workshop]) -> Workshop:
    """The mini sweep, run to its end on a local Ray cluster. Tests must not change its results."""
    workshop = new_workshop()
    done = workshop.frontier("run", workshop.write())
    (workshop.root / "run.out").write_text(done.stdout)
    return workshop


@pytest.fixture(scope="session")
def nodes() -> None:
    """Skips where no nodes can be made of namespaces."""
    lacking = why_not()
    if lacking is not None:
        pytest.skip(f"no nodes can be made of namespaces here: {lacking}")
