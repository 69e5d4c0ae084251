"""Slots of a launch that share what their templates import: one server per machine, whose end ends none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace

import psutil
import pytest
from running_attempts import LONG, Started, children, ended, standing_still, wait_for
from workshop import PATIENCE, ending

from orchestrator.errors import LaunchError
from orchestrator.execution import worker_slot
from orchestrator.execution.worker_slot import AttemptHosts
from workers.runtime import fork_server, shared_templates, template
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
    [of_first] = children(server.pid)
    server.kill()
    assert ended(server.pid)
    second = AttemptHost(1, launch=launch)
    after = lab.order()
    with standing_still(children(of_first)):
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


def test_a_server_without_clients_waits_for_none_who_waits_for_a_full_queue(monkeypatch, tmp_path):
    """The second client holds the lock while it waits for a place: no server may want the lock then."""
    monkeypatch.chdir(tmp_path)  # paths of sockets must be short
    directory, accepted = Path("server"), []
    directory.mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "socket"))
    listener.listen(0)  # one waits, and the next one blocks
    monkeypatch.setattr(fork_server._Server, "_fork_template", lambda self, client: accepted.append(client))
    serving = threading.Thread(target=fork_server._Server(listener, directory, True).run, daemon=True)

    def connect() -> None:
        with shared_templates._locked(directory), socket.socket(socket.AF_UNIX) as second:
            locked.set()
            second.connect(str(directory / "socket"))

    with socket.socket(socket.AF_UNIX) as first, listener:
        first.connect(str(directory / "socket"))
        locked, connecting = threading.Event(), threading.Thread(target=connect, daemon=True)
        connecting.start()
        assert locked.wait(PATIENCE)
        serving.start()
        serving.join(PATIENCE)
        assert not serving.is_alive()
    assert len(accepted) == 2
    assert not directory.exists()


def test_a_directory_that_is_deleted_as_a_slot_opens_is_made_again(monkeypatch, tmp_path):
    directory, looked = tmp_path / "server", []
    refuse_open = shared_templates._refuse_open

    def deleted_at_first(directory: Path) -> None:
        looked.append(directory)
        if len(looked) == 1:
            directory.rmdir()
        refuse_open(directory)

    monkeypatch.setattr(shared_templates, "_refuse_open", deleted_at_first)
    with shared_templates._locked(directory):
        assert directory.is_dir()
    assert len(looked) == 2


def test_what_a_killed_server_has_left_goes_with_the_next_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # paths of sockets must be short
    dead, live, own = (Path(f"frontier-slots-{16 * name}") for name in "abc")
    with socket.socket(socket.AF_UNIX) as listener:
        for directory, bound in ((dead, socket.socket(socket.AF_UNIX)), (live, listener)):
            directory.mkdir(mode=0o700)
            bound.bind(str(directory / "socket"))
            if bound is not listener:
                bound.close()
        listener.listen()
        shared_templates._delete_leftovers(own)
    assert (dead.exists(), live.exists()) == (False, True)


def open_to_others(tmp_path: Path) -> Path:
    directory = tmp_path / "theirs"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to(tmp_path)
    return tmp_path / "link"


@pytest.mark.parametrize(
    "place", [open_to_others, elsewhere, lambda tmp_path: tmp_path / "missing" / "directory"]
)
def test_where_nothing_can_be_shared_a_slot_imports_for_itself(monkeypatch, tmp_path, launch, place):
    started, directory = [], place(tmp_path)
    with pytest.raises(OSError, match=r"not of this account alone|No such file"):
        SharedTemplate(directory, 1, {})
    monkeypatch.setattr("workers.runtime.host.server_directory", lambda launch: directory)
    monkeypatch.setattr(subprocess, "Popen", lambda command, **more: started.append(command))
    AttemptHost(1, launch=launch)
    assert [command[-2:] for command in started] == [["workers.runtime.template", "1"]]


def test_launches_share_nothing_with_each_other_and_paths_fit_a_socket(monkeypatch, tmp_path):
    assert server_directory("a") == server_directory("a") != server_directory("b")
    long = tmp_path / ("long" * 40)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert server_directory("a").parent == Path("/tmp")


def test_machines_that_have_a_temporary_directory_in_common_share_nothing(monkeypatch):
    here = server_directory("a")
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename="another"))
    assert server_directory("a") != here


def test_a_forked_template_has_the_environment_of_its_slot(monkeypatch):
    settings = {"environment": {"SLOT": "second", "OMP_NUM_THREADS": "7"}, "threads": 2}
    requests, to_requests = os.pipe()
    from_answers, answers = os.pipe()
    monkeypatch.setenv("SLOT", "first")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "of the server")
    monkeypatch.setattr(
        template, "_serve", lambda lines, pipe, *_: pipe.write(json.dumps(dict(os.environ)).encode())
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
