"""Three machines, an object store and a tracking server, as a team has them: the scores are a laptop's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mlflow_server import MlflowServer
from object_store import S3
from rig_servers import run_there
from workshop import Workshop, results

pytestmark = [pytest.mark.e2e, pytest.mark.rig]


def test_a_sweep_over_nodes_a_store_and_a_server_finds_what_a_laptop_does(
    nodes: None,
    finished: Workshop,
    new_workshop: Callable[[], Workshop],
    s3: S3,
    mlflow_server: MlflowServer,
) -> None:
    workshop = new_workshop()
    file = workshop.write("over-nodes", seeds=[1], concurrency=2)
    found = run_there(workshop, file, "over-nodes", s3, mlflow_server)
    local = results(finished.outcomes().values())
    assert found.results == {trial: result for trial, result in local.items() if trial.endswith("/seed-1")}
    assert found.published == len(found.runs) == len(found.results)
    assert all(found.shares)
    assert not (workshop.sweeps / "over-nodes").exists()
