"""The records of a sweep, from the volume of its pods to a laptop that mounts nothing."""

from __future__ import annotations

import json
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeApi, RefusedError
from ledger_builder import Fate, LedgerBuilder

from orchestrator.cluster import fetching
from orchestrator.cluster.record_server import INDEX, PORT, RecordServer, write_archive
from orchestrator.cluster.render import FILE
from orchestrator.contracts import layout
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.tracking.ledger import Ledger

from .conftest import Frontier
from .test_verdict import CALM_END, ending

HOME = Path("sweeps", "ours")


@pytest.fixture
def volume(tmp_path: Path) -> LedgerBuilder:
    """The storage of the pods: a finished trial, a failed one, and what must stay there."""
    built = LedgerBuilder(tmp_path / "volume", "ours")
    full, lora = built.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[12])
    built.attempt(full, Fate(quality=0.9))
    built.attempt(lora, Fate(failure=FailureKind.DIVERGED))
    for attempt in (built.ledger.directory / layout.TRIALS).glob(layout.ATTEMPTS):
        for name in (layout.SENSITIVE, layout.CHECKPOINTS, layout.MODEL):
            (attempt / name).mkdir()
            (attempt / name / "content").write_text("text of a patient")
    return built


@pytest.fixture
def served(api: FakeApi, volume: LedgerBuilder, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A cluster in which the pod of a fetch comes at once. Gives the names of the jobs that were made."""
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(fetching, "PATIENCE_SECONDS", 5.0)
    api.groups.add("batch")
    made: list[str] = []
    servers: list[RecordServer] = []
    create = api._create

    def created(key: Any, body: Any) -> Any:
        found = create(key, body)
        if key[1] == "jobs":
            made.append(key[3])
            api.home = key[2]
            servers.append(server := RecordServer(volume.ledger.directory, port=0))
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            labels = body["spec"]["template"]["metadata"]["labels"] | {"job-name": key[3]}
            api.put("pods", "served", {"metadata": {"labels": labels}, "status": {"phase": "Running"}})
            api.ports["served", PORT] = server.server_address[1]
        return found

    api._create = created  # type: ignore[method-assign]
    yield made
    for server in servers:
        server.shutdown()
        server.server_close()


def names(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def test_a_sweep_ends_with_the_table_and_the_report_on_this_machine(
    api: FakeApi, submit: Frontier, served: list[str]
) -> None:
    api.scripts = [ending(CALM_END)]
    said = submit()
    assert said.code == 0, said.text
    assert "2 of 2 trials finished" in said.text
    assert "0.900" in said.text
    assert str(HOME / "report" / "report.html") in said.text
    assert (HOME / "report" / "report.html").is_file()


@pytest.mark.usefixtures("served")
def test_records_come_and_nothing_else(
    api: FakeApi, submit: Frontier, frontier: Frontier, volume: LedgerBuilder
) -> None:
    submit("--no-follow")
    said = frontier("fetch", "ours")
    assert said.code == 0, said.text
    there = volume.ledger.directory
    expected = {name for name in names(there) if Path(name).name != "content"} | {layout.COPY}
    assert {name for name in names(HOME) if not name.startswith("report/")} == expected
    copied, original = Ledger(HOME).trials(), volume.ledger.trials()
    assert [record.state for record in copied] == [record.state for record in original]


def test_the_job_mounts_the_storage_read_only_and_is_gone_afterwards(
    api: FakeApi, submit: Frontier, frontier: Frontier, served: list[str]
) -> None:
    jobs = []
    submit("--no-follow")
    api.before["list", "pods"] = lambda: jobs.extend(api.all("jobs"))
    frontier("fetch", "ours")
    [job] = jobs
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [mount] = container["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/storage", True)
    [volume] = pod["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "frontier-storage", "readOnly": True}
    assert container["command"][-1] == "/storage/sweeps/ours"
    assert pod["automountServiceAccountToken"] is False
    assert job["spec"]["ttlSecondsAfterFinished"] <= 60
    assert api.all("jobs") == []
    assert "text of a patient" not in json.dumps(jobs)


@pytest.mark.usefixtures("served")
def test_a_copy_is_marked_is_refreshed_and_never_run(
    submit: Frontier, frontier: Frontier, volume: LedgerBuilder, sweep: Any
) -> None:
    submit("--no-follow")
    frontier("fetch", "ours")
    assert "a copy of" in frontier("status", "ours").text
    refused = frontier("run", sweep(), "--launcher", "local")
    assert refused.code == 3
    assert "nothing runs on a copy" in refused.text
    (HOME / "stale").touch()
    assert frontier("fetch", "ours").code == 0
    assert not (HOME / "stale").exists()
    assert list(Path("sweeps").iterdir()) == [HOME]


@pytest.mark.usefixtures("served")
def test_records_stay_in_the_cluster_where_they_are_asked_to(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [ending(CALM_END)]
    said = submit("--no-fetch")
    assert said.code == 0, said.text
    assert "2 of 2 trials finished" in said.text
    assert "`frontier fetch ours" in said.text
    assert not Path("sweeps").exists()


@pytest.mark.usefixtures("served")
def test_what_is_no_copy_of_the_sweep_is_never_replaced(
    submit: Frontier, frontier: Frontier, identity: Any
) -> None:
    """A folder of another kind has its name, then a copy of another sweep its id as well."""
    (HOME / "notes").mkdir(parents=True)
    submit("--no-follow")
    assert frontier("fetch", "ours").code == 0
    mark = Path("sweeps") / identity() / layout.COPY
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"namespace": "another"}))
    said = frontier("fetch", "ours")
    assert said.code == 3
    assert "neither is a copy of this sweep" in said.text
    assert (HOME / "notes").is_dir()
    assert "another" in mark.read_text()


@pytest.mark.usefixtures("served")
def test_a_sweep_of_this_machine_is_never_replaced(
    submit: Frontier, frontier: Frontier, tmp_path: Path, identity: Any
) -> None:
    own = LedgerBuilder(tmp_path / "sweeps", "ours")
    own.plan(methods=["full"])
    before = names(HOME)
    submit("--no-follow")
    said = frontier("fetch", "ours")
    assert said.code == 0, said.text
    assert names(HOME) == before
    assert (Path("sweeps") / identity() / layout.COPY).is_file()


def test_a_cluster_that_refuses_the_job_is_said_and_the_verdict_stays(
    api: FakeApi, submit: Frontier, served: list[str]
) -> None:
    api.refusals["create", "jobs"] = RefusedError(403, "jobs.batch is forbidden")
    api.scripts = [ending(CALM_END)]
    said = submit()
    assert said.code == 0, said.text
    assert "the records could not be fetched: you may not create jobs.batch" in said.text
    assert "2 of 2 trials finished" in said.text
    assert "frontier fetch ours" in said.text
    assert not Path("sweeps").exists() or list(Path("sweeps").iterdir()) == []


def test_a_pod_that_never_comes_is_given_up_with_its_reason(
    api: FakeApi, submit: Frontier, frontier: Frontier, served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PATIENCE_SECONDS", 0.05)
    submit("--no-follow")
    put = api.put

    def pending(plural: str, name: str, body: Any, *rest: Any, **more: Any) -> Any:
        if name == "served":
            message = "0/3 nodes are available: 3 Insufficient cpu."
            condition = {"type": "PodScheduled", "status": "False", "message": message}
            body = body | {"status": {"phase": "Pending", "conditions": [condition]}}
        return put(plural, name, body, *rest, **more)

    monkeypatch.setattr(api, "put", pending)
    said = frontier("fetch", "ours")
    assert said.code == 3
    assert "3 Insufficient cpu." in said.text
    assert api.all("jobs") == []


def test_a_sweep_that_has_no_records_yet_says_so(
    submit: Frontier, frontier: Frontier, served: list[str], volume: LedgerBuilder
) -> None:
    (volume.ledger.directory / layout.SWEEP).unlink()
    submit("--no-follow")
    said = frontier("fetch", "ours")
    assert said.code == 3
    assert "holds no records of this sweep yet" in said.text
    assert list(Path("sweeps").iterdir()) == []


def test_records_in_an_object_store_are_read_there(
    api: FakeApi, submit: Frontier, frontier: Frontier
) -> None:
    submit("--no-follow")
    [config_map] = api.all("configmaps")
    config_map["data"][FILE] = config_map["data"][FILE].replace("/storage/sweeps", "s3://bucket/sweeps")
    said = frontier("fetch", "ours")
    assert said.code == 3
    assert "frontier report ours --storage s3://bucket/sweeps" in said.text


def archive(volume: LedgerBuilder) -> bytes:
    out = BytesIO()
    write_archive(volume.ledger.directory, out)
    return out.getvalue()


def test_an_archive_that_was_cut_short_or_changed_is_refused(volume: LedgerBuilder, tmp_path: Path) -> None:
    whole = archive(volume)
    with tarfile.open(fileobj=BytesIO(whole)) as opened:
        last = opened.getmember(INDEX)
        first = opened.getmembers()[0]
    cut = whole[: last.offset] + bytes(1024)
    changed = bytearray(whole)
    changed[first.offset_data] ^= 1
    for number, damaged in enumerate((cut, bytes(changed))):
        into = tmp_path / f"into-{number}"
        with pytest.raises(fetching.LaunchError, match="damaged"):
            fetching._unpack(BytesIO(damaged), 0, into, lambda done, total: None)
    assert fetching._unpack(BytesIO(whole), 0, tmp_path / "whole", lambda done, total: None) > 2


@pytest.mark.parametrize("name", ["../out", "/out", "trials/../../out"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as opened:
        opened.addfile(tarfile.TarInfo(name), BytesIO(b""))
    with pytest.raises(fetching.LaunchError, match="belongs to none"):
        fetching._unpack(BytesIO(out.getvalue()), 0, tmp_path / "into", lambda done, total: None)
    assert not (tmp_path / "out").exists()
