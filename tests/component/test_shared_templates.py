"""Slots of a launch that share what their templates import: one server per machine, whose end ends none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

import psutil
import pytest
from running_attempts import LONG, Started, children, ended, wait_for
from workshop import PATIENCE, ending

from orchestrator.errors import LaunchError
from orchestrator.execution import worker_slot
from orchestrator.execution.worker_slot import AttemptHosts
from workers.runtime import template
from workers.runtime.host import AttemptHost
from workers.runtime.shared_templates import SharedTemplate, server_directory


@pytest.fixture
def launch() -> str:
    """Of this test alone, wherever else it runs on this machine."""
    return token_hex(8)


def server_of(launch: str) -> psutil.Process:
    """Return the process that forks the templates of a launch; they have its command line."""
    directory = str(server_directory(launch))
    named = [p for p in psutil.process_iter(["cmdline"]) if directory in (p.info["cmdline"] or ())]
    pids = {process.pid for process in named}
    [server] = [process for process in named if process.ppid() not in pids]
    return server


def test_slots_fork_from_one_process_and_learn_as_others_do(host, lab, outcome_of, launch):
    hosts = [AttemptHost(1, launch=launch) for _ in range(2)]
    orders = [lab.order("lora") for _ in range(3)]
    running = [Started(*pair) for pair in zip(hosts, orders[:2], strict=True)]
    assert [attempt.code() for attempt in running] == [0, 0]
    assert host.run(orders[2]) == 0
    outcomes = [outcome_of(order) for order in orders]
    assert [outcome.state for outcome in outcomes] == ["finished"] * 3
    assert outcomes[0].test == outcomes[1].test == outcomes[2].test
    server = server_of(launch)
    assert len(children(server.pid)) == 2
    assert server.pid not in children(os.getpid())  # Ray kills those of an actor that ends
    hosts[0].close()
    assert server.is_running()
    hosts[1].close()
    assert ended(server.pid)
    assert not server_directory(launch).exists()


def test_a_server_that_was_killed_ends_no_attempt_and_is_replaced(lab, outcome_of, launch):
    first, order = AttemptHost(1, launch=launch), lab.order(recipe=LONG)
    running = Started(first, order)
    server = server_of(launch)
    server.kill()
    assert ended(server.pid)
    second = AttemptHost(1, launch=launch)
    after = lab.order()
    assert second.run(after) == 0
    assert outcome_of(after).state == "finished"
    assert running.codes == []
    first.interrupt()
    assert running.code() == -signal.SIGKILL
    first.close()
    second.close()


def test_a_slot_that_opens_as_the_last_one_closes_has_a_template(lab, launch):
    for _ in range(2):
        host = AttemptHost(1, launch=launch)
        assert host.run(lab.order()) == 0
        host.close()


def test_a_template_that_was_killed_is_an_error_of_its_host_alone(lab, launch):
    hosts = [AttemptHost(1, launch=launch) for _ in range(2)]
    assert [host.run(lab.order()) for host in hosts] == [0, 0]
    os.kill(min(children(server_of(launch).pid)), signal.SIGKILL)
    answers = []
    for host in hosts:
        try:
            answers.append(host.run(lab.order()))
        except LaunchError as error:
            answers.append(str(error))
    assert sorted(map(str, answers))[0] == "0"
    assert "the warm worker process" in sorted(map(str, answers))[1]
    for host in hosts:
        host.close()


def test_nothing_outlives_a_killed_driver(lab, launch):
    order = lab.order(recipe=LONG)
    program = """
import sys
from pathlib import Path
from secrets import token_hex
from workers.runtime.host import AttemptHost
AttemptHost(1, launch=sys.argv[1]).run(Path(sys.argv[2]))
"""
    command = [sys.executable, "-c", program, launch, str(order)]
    with ending(subprocess.Popen(command)) as driver:
        wait_for(order.parent / "events.jsonl", '"step"')
        server = server_of(launch)
        descendants = server.children(recursive=True)
        assert len(descendants) == 2
        driver.kill()
        driver.wait()
        assert psutil.wait_procs([server, *descendants], timeout=PATIENCE)[1] == []
    assert not server_directory(launch).exists()


def test_a_directory_that_others_can_write_to_is_refused(tmp_path):
    directory = tmp_path / "theirs"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(LaunchError, match="not of this account alone\n    -> remove it"):
        SharedTemplate(directory, 1, {})


def test_a_directory_that_cannot_be_made_is_an_error_with_a_fix(tmp_path):
    with pytest.raises(LaunchError, match="-> check memory, and that TMPDIR is a directory"):
        SharedTemplate(tmp_path / "missing" / "directory", 1, {})


def test_launches_share_nothing_with_each_other_and_paths_fit_a_socket(monkeypatch, tmp_path):
    assert server_directory("a") == server_directory("a") != server_directory("b")
    long = tmp_path / ("long" * 40)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert server_directory("a").parent == Path("/tmp")


def test_a_forked_template_has_the_environment_of_its_slot(monkeypatch):
    settings = {"environment": {"SLOT": "second", "OMP_NUM_THREADS": "7"}, "threads": 2}
    requests, to_requests = os.pipe()
    from_answers, answers = os.pipe()
    monkeypatch.setenv("SLOT", "first")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "of the server")
    monkeypatch.setattr(
        template, "_serve", lambda lines, pipe, forkable: pipe.write(json.dumps(dict(os.environ)).encode())
    )
    os.write(to_requests, json.dumps(settings).encode() + b"\n")
    os.close(to_requests)
    child = os.fork()
    if child == 0:
        try:
            template.serve_forked(requests, answers, True)
        finally:
            os._exit(0)
    os.close(requests)
    os.close(answers)
    with os.fdopen(from_answers) as pipe:
        environment = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert (environment["SLOT"], environment["OMP_NUM_THREADS"]) == ("second", "2")
    assert "CUDA_VISIBLE_DEVICES" not in environment


@pytest.mark.parametrize(
    ("gpus", "visible", "shares"), [((), [], True), (("GPU-a",), [], False), ((), ["a GPU"], False)]
)
def test_slots_share_their_imports_unless_they_see_gpus(monkeypatch, gpus, visible, shares):
    made = []
    monkeypatch.setattr("workers.runtime.host.AttemptHost", lambda *given: made.append(given))
    monkeypatch.setattr(worker_slot, "visible_gpus", lambda: visible)
    hosts = AttemptHosts()
    hosts(3, gpus)
    assert made == [(3, gpus, hosts.launch if shares else None)]
    assert hosts.launch != AttemptHosts().launch
