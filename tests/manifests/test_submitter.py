"""The submitter against a server that speaks Ray's jobs API, and fails as a real one does."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from workshop import ending

from orchestrator.cluster.submitter import Api, Exit, Submitter, main, never_retried_where_refused

ID, COMMAND, TOKEN = "demo-3ad738-x7k2p", "frontier run /etc/frontier/sweep.yaml --address auto", "secret"
DROP, DROP_MIDWAY = "drop", "drop midway"

Script = list[Any]  # of each look at the job: a state, a HTTP status, DROP, or what is called first


class Head:
    """A head: what it was asked, and what it answers. A job is unknown until it is submitted to it."""

    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.submissions: list[dict[str, Any]] = []
        self.looks: Script = []
        self.on_submission: Script = []
        self.token = TOKEN

    def replaced(self) -> None:
        """By a new one, which knows no jobs."""
        self.jobs.clear()

    def look(self) -> Any:
        step = self.looks.pop(0) if self.looks else "SUCCEEDED"
        if callable(step):
            step()
            step = self.looks.pop(0)
        return step


def _handler(head: Head) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            if not self._known():
                return
            if self.path == f"/api/jobs/{ID}/logs":
                self._answer(200, {"logs": "planned\ntrained\n"})
            elif self.path.removeprefix("/api/jobs/") not in head.jobs:
                self._answer(404, f"Job {ID} does not exist")
            else:
                self._look(head.look())

        def _look(self, step: Any) -> None:
            if ID not in head.jobs:
                self._answer(404, "does not exist")
            elif step == DROP:
                self.close_connection = True
                self.connection.close()
            elif step == DROP_MIDWAY:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"status": "RUN')
                self.close_connection = True
            elif isinstance(step, int):
                self._answer(step, "not now")
            else:
                self._answer(200, {"status": step, "message": f"it has {step.lower()}\nplanned\ntrained"})

        def do_POST(self) -> None:
            if not self._known():
                return
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            step = head.on_submission.pop(0) if head.on_submission else 200
            if step in (200, DROP):
                head.jobs[body["submission_id"]] = body["entrypoint"]
                head.submissions.append(body)
            if step == DROP:  # taken, but the answer is lost
                self.close_connection = True
                self.connection.close()
            else:
                self._answer(
                    step, {"submission_id": ID} if step == 200 else "Traceback\nValueError: no such thing"
                )

        def _known(self) -> bool:
            sound = self.headers.get("Authorization") == f"Bearer {head.token}"
            if not sound:
                self._answer(401, "Unauthorized")
            return sound

        def _answer(self, status: int, body: Any) -> None:
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


@pytest.fixture
def head() -> Head:
    return Head()


@pytest.fixture
def address(head: Head) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(head))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


Run = Callable[..., tuple[Exit, list[str]]]


@pytest.fixture
def run(address: str) -> Run:
    """One submitter from start to end, in virtual time: the exit code and what it said."""

    def _run(token: str | None = TOKEN, at: str = address, **settings: Any) -> tuple[Exit, list[str]]:
        clock, said = [0.0], list[str]()
        submitter = Submitter(
            api=Api(at, token, timeout_seconds=5),
            submission_id=ID,
            entrypoint=COMMAND,
            say=said.append,
            wait=lambda seconds: clock.__setitem__(0, clock[0] + seconds),
            now=lambda: clock[0],
            **settings,
        )
        return submitter.run(), said

    return _run


def test_a_job_is_submitted_and_followed_to_its_end(head: Head, run: Run) -> None:
    head.looks = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    end, said = run()
    assert end is Exit.ENDED
    assert head.submissions == [{"submission_id": ID, "entrypoint": never_retried_where_refused(COMMAND, ID)}]
    assert [line for line in said if "RUNNING" in line] == [f"job {ID}: RUNNING"]
    assert said[-2:] == ["  trained", "it has succeeded"]


@pytest.mark.parametrize("state", ["FAILED", "STOPPED", "SUCCEEDED"])
def test_however_the_driver_ended_the_submitter_is_through(head: Head, run: Run, state: str) -> None:
    """Its Kubernetes Job would start it again eight times, and KubeRay waits for that."""
    head.looks = ["RUNNING", state]
    assert run()[0] == 0


@pytest.mark.parametrize("code", [0, 1, 2, 3, 70])
def test_a_driver_that_refuses_its_input_has_its_job_stopped(tmp_path: Path, code: int) -> None:
    """As Ray's shell runs it, with a `ray` that writes down what it is asked for."""
    for name, does in (("ray", f'echo "$@" >> {tmp_path}/asked'), ("sleep", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    command = never_retried_where_refused(f"sh -c 'exit {code}'", ID)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(command, shell=True, env={**os.environ, "PATH": path})
    assert done.returncode == code
    asked = tmp_path / "asked"
    assert asked.exists() == (code == 2)
    if code == 2:
        assert re.fullmatch(rf"job stop .* {ID}\n", asked.read_text())


def test_a_driver_that_is_stopped_comes_to_its_end_first(tmp_path: Path) -> None:
    """Ray signals shell and driver at once, and waits for both."""
    driver = f"{sys.executable} -c " + shlex.quote(
        "import signal, sys, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"  # it waits until it is asked for
        f"open('{tmp_path}/up', 'w')\n"
        "signal.sigwait([signal.SIGTERM])\n"
        f"open('{tmp_path}/told', 'w')\n"
        "time.sleep(0.3)\n"
        "sys.exit(130)"
    )
    command = never_retried_where_refused(driver, ID)
    with ending(subprocess.Popen(command, shell=True, start_new_session=True)) as shell:
        while not (tmp_path / "up").exists():
            assert shell.poll() is None
        os.killpg(shell.pid, signal.SIGTERM)
        assert shell.wait(60) == 130
    assert (tmp_path / "told").exists()


def test_a_second_submitter_attaches(head: Head, run: Run) -> None:
    head.jobs[ID] = COMMAND
    head.looks = ["RUNNING", "SUCCEEDED"]
    assert run()[0] is Exit.ENDED
    assert head.submissions == []


def test_a_job_that_has_ended_is_not_run_again(head: Head, run: Run) -> None:
    head.jobs[ID] = COMMAND
    head.looks = ["FAILED"]
    assert run()[0] is Exit.ENDED
    assert head.submissions == []


@pytest.mark.parametrize("fault", [DROP, DROP_MIDWAY, 500, 502, 503])
def test_a_broken_connection_is_no_end(head: Head, run: Run, fault: Any) -> None:
    head.looks = ["RUNNING", fault, fault, "RUNNING", fault, "SUCCEEDED"]
    end, said = run()
    assert end is Exit.ENDED
    assert len(head.submissions) == 1
    assert any("out of reach" in line for line in said)


@pytest.mark.parametrize("fault", [DROP, 500, 503])
def test_a_submission_without_an_answer_is_not_repeated_when_it_was_taken(
    head: Head, run: Run, fault: Any
) -> None:
    head.on_submission = [fault]
    head.looks = ["RUNNING", "SUCCEEDED"]
    assert run()[0] is Exit.ENDED
    assert len(head.submissions) == 1


def test_a_new_head_gets_the_job_again(head: Head, run: Run) -> None:
    head.looks = ["RUNNING", DROP, head.replaced, DROP, "RUNNING", "SUCCEEDED"]
    end, said = run()
    assert end is Exit.ENDED
    assert len(head.submissions) == 2
    assert f"job {ID}: submitted again: the head is a new one" in said


def test_heads_that_keep_dying_are_given_up(head: Head, run: Run) -> None:
    head.looks = ["RUNNING", head.replaced, "RUNNING"] * 9
    end, said = run(most_submissions=3)
    assert end is Exit.GIVEN_UP
    assert len(head.submissions) == 3
    assert said[-1] == "3 heads have lost the job: giving up"


def test_a_wrong_token_is_told_at_once_and_not_shown(head: Head, run: Run) -> None:
    end, said = run(token="another")
    assert end is Exit.REFUSED
    assert "RAY_AUTH_TOKEN" in said[-1]
    assert "another" not in "".join(said)


def test_no_token_is_refused_alike(run: Run) -> None:
    assert run(token=None)[0] is Exit.REFUSED


def test_a_request_that_ray_refuses_is_told_with_its_reason(head: Head, run: Run) -> None:
    head.on_submission = [400] * 9
    end, said = run()
    assert end is Exit.REFUSED
    assert "ValueError: no such thing" in said[-1]


def test_silence_has_a_limit(run: Run) -> None:
    end, said = run(at="127.0.0.1:1", unreachable_seconds=60)
    assert end is Exit.UNREACHABLE
    assert "for 60 s: giving up" in said[-1]


def test_silence_is_counted_from_the_last_answer(head: Head, run: Run) -> None:
    head.looks = [*["RUNNING", DROP, DROP] * 9, "SUCCEEDED"]
    assert run(unreachable_seconds=20)[0] is Exit.ENDED


def test_the_operator_says_where_and_what(
    head: Head, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"RAY_DASHBOARD_ADDRESS": f"http://{address}/", "RAY_JOB_SUBMISSION_ID": ID}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    head.looks = ["SUCCEEDED"]
    assert main(["--poll-seconds", "0", "--", COMMAND], environment) == 0
    assert COMMAND in head.submissions[0]["entrypoint"]
    assert "SUCCEEDED" in capsys.readouterr().out
    assert main(["--", COMMAND], {}) == 2
    assert "RAY_DASHBOARD_ADDRESS and RAY_JOB_SUBMISSION_ID" in capsys.readouterr().err


def test_the_token_goes_to_the_head_alone(head: Head, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to a proxy of the pod nor to where a head sends it on to."""
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://{address}/api/jobs/{ID}")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        place = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv("http_proxy", f"http://{place}")
        assert Api(address, TOKEN).ask("GET", f"/api/jobs/{ID}")[0] == 404
        assert asked == []
        head.jobs[ID] = "RUNNING"  # to be found there, if anybody went on
        assert Api(place, TOKEN).ask("GET", "/")[0] == 302
        server.shutdown()
        thread.join()


def test_the_submitter_needs_the_standard_library_alone() -> None:
    """Its pod has 128 MiB and half a core."""
    heavy = ("pydantic", "yaml", "typer", "rich", "ray", "kubernetes", "requests")
    code = f"import sys, orchestrator.cluster.submitter; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_checking_and_rendering_load_no_client_of_a_cluster() -> None:
    code = "import sys, orchestrator.cluster.checks, orchestrator.cluster.render; "
    code += "print([m for m in ('ray', 'kubernetes') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
