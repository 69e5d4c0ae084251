"""A sweep in an object store: a killed driver, another machine that goes on, a third one that looks."""

from __future__ import annotations

import os
import re
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from driver_processes import started_by
from object_store import BUCKET, S3
from rig_sweep import KEYS, Calm
from workshop import Workshop, results, stop_midway, wait_for

from orchestrator.contracts.layout import ATTEMPTS
from orchestrator.storage.lease import Lease, hold
from orchestrator.storage.remote import Remote

pytestmark = pytest.mark.e2e


def of(trial: str, keys: list[str]) -> list[str]:
    return [key.partition(f"/{trial}/")[2] for key in keys if f"/{trial}/" in key]


def test_another_machine_goes_on_where_a_driver_was_killed(
    new_workshop: Callable[[], Workshop],
    calm: Calm,
    s3: S3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workshop, prefix = new_workshop(), f"team/{uuid.uuid4()}"
    uri = f"s3://{BUCKET}/{prefix}"
    options = {"storage": uri, "storage_options": s3.options}
    sweep = workshop.write(**{**KEYS, "concurrency": 1, **options})

    def on(machine: str) -> Path:
        """From here on, commands run on that machine."""
        monkeypatch.setenv("FRONTIER_MIRROR", str(tmp_path / machine))
        return Path(Remote(uri, s3.options).mirror())

    trials = on("first") / "mini" / "trials"
    with workshop.driving("run", sweep, "--launcher", "local") as driver:

        def held() -> bool:
            processes = [process.pid for process in started_by(driver)]
            attempts = [attempt for attempt in trials.glob(ATTEMPTS) if "seed-2" in attempt.parts]
            return any(stop_midway(attempt, processes) for attempt in attempts)

        def stored() -> bool:
            assert driver.poll() is None
            keys = s3.keys(prefix)
            saved = [re.fullmatch(r".*/checkpoint/.*/complete.json", key) for key in of("seed-2", keys)]
            return "attempt-001/bill.json" in of("seed-1", keys) and any(saved)

        wait_for(held, "the second trial under way")
        wait_for(stored, "a finished trial beside one with a checkpoint, in the store")
        started = started_by(driver)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        psutil.wait_procs(started, timeout=60)
    assert workshop.outcomes() == {}  # nothing lies where sweeps lie by default

    mirror = on("second")
    assert not mirror.exists()
    done = workshop.frontier("run", sweep, "--launcher", "local")
    assert f"records: {uri}/mini" in done.stdout
    assert "MLFLOW_TRACKING_URI is not set" in done.stdout
    found = workshop.outcomes(storage=mirror)
    assert [o["failure"] for o in found.values()] == [
        None,
        None,
    ]  # one attempt each ended, none of them twice
    assert [o["resumed_from_step"] for o in found.values() if o["trial"].endswith("seed-2")] != [None]

    assert results(found.values()) == calm.results

    keys = s3.keys(prefix)
    assert "checkpoint" not in " ".join(keys)  # of finished trials nobody needs them
    assert f"{prefix}/mini/report/report.html" in keys
    assert any("/model/complete.json" in key for key in keys)

    on("third")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert workshop.json("status", f"{uri}/mini")["trials"]["finished"] == 2
    assert workshop.json("report", "mini", "--storage", uri)["sweep"] == "mini"
    plan = workshop.json("plan", sweep)
    assert len(plan["up_to_date"]) == 2
    wrong = workshop.frontier("status", "minni", "--storage", uri, expect=2)
    assert "there is no sweep 'minni'" in wrong.stderr

    with hold(Lease(Remote(uri, s3.options).open(), "mini"), lambda: None, every=0.5):
        refused = workshop.frontier("run", sweep, "--launcher", "local", expect=6)
    assert f"process {os.getpid()} on" in refused.stderr
    assert "Traceback" not in refused.stderr
