"""Follow, through the command line: what is told, and how it ends."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeApi, RefusedError
from ledger_builder import Fate, LedgerBuilder

from orchestrator.cluster.ray_job import MOST_RECREATIONS
from orchestrator.contracts.vocabulary import FailureKind

from .conftest import CALM, RUNNING, STARTING, SUCCEEDED, Frontier, failed

Identity = Callable[[], str]
Body = dict[str, Any]
CONFIG_ERROR = "Job entrypoint command failed with exit code 2, last available logs:\n1 mistake"


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_watch_that_breaks_is_no_end(api: FakeApi, submit: Frontier, how: str) -> None:
    api.broken_watches = [how] * 3
    said = submit()
    assert said.code == 0, said.text
    assert "Complete" in said.text
    assert api.broken_watches == []


@pytest.mark.parametrize("reason", ["DeadlineExceeded", "JobStatusCheckTimeoutExceeded"])
def test_ends_that_kuberay_does_not_retry_start_again(
    api: FakeApi, submit: Frontier, identity: Identity, reason: str
) -> None:
    api.scripts = [[RUNNING, failed(reason, ray="RUNNING")], list(CALM)]
    said = submit()
    assert said.code == 0, said.text
    assert f"started again 1 of {MOST_RECREATIONS} times" in said.text
    [config_map] = api.all("configmaps")
    job = api.ray_job(identity())
    assert job is not None
    assert config_map["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    assert job["spec"]["suspend"] is False


def test_not_for_ever(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [[failed("DeadlineExceeded", ray="")]] * (MOST_RECREATIONS + 2)
    said = submit()
    assert said.code == 1
    assert f"it was started again {MOST_RECREATIONS} times" in said.text
    assert api._made == MOST_RECREATIONS + 1


def test_resume_counts_anew(api: FakeApi, submit: Frontier, frontier: Frontier) -> None:
    api.scripts = [[failed("DeadlineExceeded", ray="")]] * (MOST_RECREATIONS + 1) + [list(CALM)]
    submit()
    said = frontier("resume", "ours")
    assert said.code == 0, said.text
    assert "started again" not in said.text


def test_a_config_error_never_starts_again(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [[RUNNING, failed("AppFailed", CONFIG_ERROR)], list(CALM)]
    said = submit()
    assert said.code == 2
    assert "correct the sweep" in said.text
    assert api._made == 1


def test_failed_trials_are_told(api: FakeApi, submit: Frontier, tmp_path: Path) -> None:
    """The job itself ends well, lest it be started again for them."""
    built = LedgerBuilder(tmp_path / "mounted", "ours")
    built.attempt(built.plan(methods=["full"])[0], Fate(failure=FailureKind.DIVERGED))
    api.scripts = [list(CALM)]
    said = submit("--storage", str(tmp_path / "mounted"))
    assert said.code == 1
    assert "1 trial failed\n    -> the same submission tries them again" in said.text


def test_a_defect_of_the_driver_is_a_failure(api: FakeApi, submit: Frontier) -> None:
    api.scripts = [[failed("AppFailed", "Job entrypoint command failed with exit code 70. No logs.")]]
    said = submit()
    assert said.code == 1
    assert "exit code 70" in said.text


def test_a_sweep_that_a_person_stops_ends_its_followers(api: FakeApi, submit: Frontier) -> None:
    """The stop comes while it is followed, from another terminal."""

    def stop(fake: FakeApi, body: Body) -> None:
        name = body["metadata"]["name"]
        config_map = next(m for m in fake.all("configmaps"))["metadata"]["name"]
        at = "/api/v1/namespaces/frontier/configmaps/" + config_map
        marked = {"metadata": {"ownerReferences": None, "annotations": {"frontier/stopped": "now"}}}
        fake.answer("PATCH", at, {}, marked, "application/merge-patch+json")
        fake.answer("DELETE", f"/apis/ray.io/v1/namespaces/frontier/rayjobs/{name}", {}, {}, "")

    api.scripts = [[RUNNING, stop], list(CALM)]
    said = submit()
    assert said.code == 0
    assert "was stopped" in said.text
    assert api._made == 1


def test_what_pods_wait_for_is_told(api: FakeApi, submit: Frontier) -> None:
    def pending(fake: FakeApi, body: Body) -> Body:
        message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
        condition = {"type": "PodScheduled", "status": "False", "message": message}
        fake.pod("w1", body["metadata"]["name"], "worker", phase="Pending", conditions=[condition])
        fake.pod("h", body["metadata"]["name"], "head", conditions=[{"type": "Ready", "status": "True"}])
        return STARTING

    api.scripts = [[pending, STARTING, SUCCEEDED]]
    said = submit()
    assert "pods ready: head 1/1, worker cpu 0/1" in said.text
    assert said.text.count("3 Insufficient nvidia.com/gpu. -> no node has a free GPU") == 1


def test_pods_that_go_or_have_ended_are_not_counted(api: FakeApi, submit: Frontier) -> None:
    def lost(fake: FakeApi, body: Body) -> Body:
        name, ready = body["metadata"]["name"], [{"type": "Ready", "status": "True"}]
        fake.pod("w1", name, "worker", conditions=ready)
        going = fake.pod("w2", name, "worker", conditions=ready)
        going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z"
        fake.pod("w3", name, "worker", phase="Failed")
        return RUNNING

    api.scripts = [[lost, SUCCEEDED]]
    assert "pods ready: worker cpu 1/1" in submit().text


def test_pods_that_are_refused_are_told(api: FakeApi, submit: Frontier) -> None:
    def refused(fake: FakeApi, body: Body) -> Body:
        fake.event(
            "RayCluster", "c", "FailedToCreateHeadPod", 'pods "c-head" is forbidden: exceeded quota: f'
        )
        fake.event("RayCluster", "of-another-sweep", "FailedToCreateHeadPod", "exceeded quota: other")
        return STARTING

    api.scripts = [[refused, STARTING, SUCCEEDED]]
    said = submit()
    assert "cannot create its pod" in said.text
    assert "exceeded quota: f" in said.text
    assert "of-another-sweep" not in said.text


def test_trials_and_report_come_from_storage_that_is_in_reach(
    api: FakeApi, submit: Frontier, tmp_path: Path
) -> None:
    built = LedgerBuilder(tmp_path / "mounted", "ours")
    built.plan(methods=["full"])
    built.finish_all()
    said = submit("--storage", str(tmp_path / "mounted"))
    assert said.code == 0, said.text
    assert "trials: " in said.text
    assert "report.html" in said.text


def test_records_in_an_object_store_are_fetched(
    submit: Frontier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTIER_MIRROR", str(tmp_path / "mirrors"))
    built = LedgerBuilder(tmp_path / "bucket", "ours")
    built.plan(methods=["full"], seeds=[1])
    said = submit("--storage", f"file://{tmp_path}/bucket")
    assert said.code == 0, said.text
    assert "trials: 4 " in said.text


def test_a_store_out_of_reach_is_said_once(submit: Frontier) -> None:
    said = submit("--storage", "nosuch://store")
    assert said.code == 0, said.text
    assert said.text.count("the records cannot be read from here") == 1


@pytest.fixture
def dashboard(api: FakeApi) -> Iterator[list[str]]:
    """A Ray dashboard behind the API server's port forwarding. Gives what it was asked, with the token. Where
    `404` is last in that list, it knows no job."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            status = 404 if asked[-1:] == ["404"] else 200
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            log = "ours\n1/2 done, 1 running, 0.001 core-hours\n2/2 done, 0 running, 0.002 core-hours\nrest\n"
            content = json.dumps({"logs": log}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    api.ports["h", 8265] = server.server_address[1]
    api.put("secrets", "c", {"data": {"auth_token": "c2VjcmV0LXRva2Vu"}})
    yield asked
    server.shutdown()
    server.server_close()


def running_head(fake: FakeApi, body: Body) -> Body:
    fake.pod("h", body["metadata"]["name"], "head")
    return RUNNING


def test_else_the_driver_is_asked(api: FakeApi, submit: Frontier, dashboard: list[str]) -> None:
    api.scripts = [[running_head, RUNNING, SUCCEEDED]]
    said = submit()
    assert said.code == 0, said.text
    assert "2/2 done, 0 running, 0.002 core-hours" in said.text
    assert "1/2 done" not in said.text
    assert dashboard[0] == "/api/jobs/j/logs Bearer secret-token"
    assert "secret-token" not in said.text


def test_a_head_that_has_just_come_silences_no_later_word(
    api: FakeApi, submit: Frontier, dashboard: list[str]
) -> None:
    """It knows no job yet (HTTP 404); what the driver says afterwards is shown."""

    def new_head(fake: FakeApi, body: Body) -> Body:
        dashboard.append("404")
        return running_head(fake, body)

    def refused(fake: FakeApi, body: Body) -> Body:
        fake.refusals["get", "portforward"] = RefusedError(403, "no")
        return RUNNING

    def allowed(fake: FakeApi, body: Body) -> Body:
        del fake.refusals["get", "portforward"]
        return RUNNING

    api.scripts = [[new_head, refused, allowed, SUCCEEDED]]
    said = submit()
    assert said.code == 0, said.text
    assert "HTTP 404" not in said.text
    assert said.text.count("no word from the driver") == 1
    assert "2/2 done, 0 running, 0.002 core-hours" in said.text


@pytest.mark.usefixtures("dashboard")
def test_a_driver_out_of_reach_is_said_once_and_nothing_ends(api: FakeApi, submit: Frontier) -> None:
    api.refusals["get", "portforward"] = RefusedError(403, "no")
    api.scripts = [[running_head, RUNNING, RUNNING, SUCCEEDED]]
    said = submit()
    assert said.code == 0, said.text
    assert said.text.count("no word from the driver: you may not create pods") == 1


def test_two_followers_start_a_sweep_again_once(api: FakeApi, submit: Frontier, frontier: Frontier) -> None:
    """The second one acts while the first has decided on the same end."""
    end = failed("DeadlineExceeded", ray="RUNNING")
    api.scripts = [[end], list(CALM)]
    submit("--no-follow")
    [job] = api.all("rayjobs")
    job["status"] = end
    answer, asked = api.answer, iter([True])

    def interrupted(method: str, *rest: Any) -> tuple[int, Any]:
        if method == "PATCH" and "configmaps" in rest[0] and next(asked, False):
            assert frontier("follow", "ours").code == 0
        return answer(method, *rest)

    api.answer = interrupted  # type: ignore[method-assign]
    said = frontier("follow", "ours")
    assert said.code == 0, said.text
    assert api._made == 2
    [config_map] = api.all("configmaps")
    [after] = api.all("rayjobs")
    assert config_map["metadata"]["ownerReferences"][0]["uid"] == after["metadata"]["uid"]
    assert after["metadata"]["annotations"]["frontier/recreations"] == "1"
