"""What a team has: machines, an object store and a tracking server."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_server import MlflowServer
from object_store import BUCKET, S3
from rig import Rig, address_of
from workshop import Workshop, results


@dataclass(frozen=True)
class Found:
    results: dict[str, Any]  # by trial, from the records in the store
    runs: dict[str, Any]  # of MLflow, by trial
    shares: list[int]  # how many trials each worker ran

    @property
    def published(self) -> int:
        """Runs that have the figures of the records."""
        return sum(
            all(self.runs[trial].data.metrics.get(f"test_{name}") == f["value"] for name, f in test.items())
            for trial, (test, *_) in self.results.items()
            if trial in self.runs
        )


def run_there(workshop: Workshop, file: Path, name: str, s3: S3, server: MlflowServer) -> Found:
    """The sweep of that name, on a head and two workers of one core each. Nothing of it is on the disk that
    they share, but for what they started from."""
    prefix = f"team/{uuid.uuid4()}"
    with Rig(workshop.environment) as rig:
        head = rig.head()
        workers = [rig.worker(worker, head, cpus=1) for worker in ("one", "two")]
        account = server.environment() | {"MLFLOW_TRACKING_URI": rig.door_to(server.uri)}
        options = json.dumps({"endpoint_url": rig.door_to(s3.endpoint)})
        store = [f"storage=s3://{BUCKET}/{prefix}", f"storage_options={options}"]
        command = workshop.command(
            "run", file, *store, "--address", address_of(head), "--insecure-cluster"
        )  # as in rig_sweep
        driver = head.run(command, workshop.root, **account)
        assert driver.wait() == 0, driver.output()
        shares = [len(list((worker.own / "mirror").rglob("bill.json"))) for worker in workers]
    found = results(s3.records(f"{prefix}/{name}", "outcome.json"))
    return Found(found, server.runs(name), shares)
