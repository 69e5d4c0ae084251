"""The warm host: attempts in forked processes, whatever becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from running_attempts import LONG, children, ended, wait_for
from workshop import ending

from orchestrator.contracts.layout import CHECKPOINTS
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import LaunchError
from workers.runtime.host import AttemptHost


def test_attempts_run_one_after_another_and_agree_with_each_other(host, lab, outcome_of):
    orders = [lab.order("lora"), lab.order("lora")]
    assert [host.run(order) for order in orders] == [0, 0]
    first, second = map(outcome_of, orders)
    assert first.state == "finished"
    assert first.test == second.test
    assert not (orders[0].parent / "crash.log").exists()


def test_a_failed_trial_is_an_outcome_and_not_a_crash(host, lab, outcome_of):
    (lab.data / "train.jsonl").unlink()
    order = lab.order()
    assert host.run(order) == 0
    assert outcome_of(order).failure.kind is FailureKind.BAD_INPUT


def test_an_order_that_cannot_be_read_ends_badly_without_its_text(host, lab):
    order = lab.order()
    order.write_text('{"trial": "the patient said"}')
    assert host.run(order) == 1
    assert "ValidationError" in (order.parent / "crash.log").read_text()
    assert "patient" not in (order.parent / "crash.log").read_text()


def test_an_interrupt_kills_and_the_host_lives_on(host, lab, outcome_of):
    order = lab.order(recipe=LONG)
    codes = []
    running = threading.Thread(target=lambda: codes.append(host.run(order)))
    running.start()
    wait_for(order.parent / "events.jsonl", '"step"')
    host.interrupt()
    running.join()
    assert codes == [-signal.SIGKILL]
    assert not (order.parent / "outcome.json").exists()
    after = lab.order()
    assert host.run(after) == 0
    assert outcome_of(after).state == "finished"


def test_an_interrupt_with_grace_leaves_a_checkpoint(host, lab, outcome_of):
    order = lab.order(recipe=LONG)
    codes = []
    running = threading.Thread(target=lambda: codes.append(host.run(order)))
    running.start()
    wait_for(order.parent / "events.jsonl", '"step"')
    host.interrupt(grace_seconds=60)
    running.join()
    assert codes == [0]
    outcome = outcome_of(order)
    assert outcome.failure.kind is FailureKind.PREEMPTED
    assert (order.parent / CHECKPOINTS / f"step-{outcome.steps}").is_dir()


@pytest.mark.parametrize(("gpus", "seen"), [(("GPU-a", "GPU-b"), "GPU-a,GPU-b"), ((), "GPU-b")])
def test_a_template_sees_the_gpus_that_it_was_given(monkeypatch, gpus, seen):
    started = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    monkeypatch.setattr(subprocess, "Popen", lambda command, env, **more: started.append(env))
    AttemptHost(threads=1, gpus=gpus)
    assert [env["CUDA_VISIBLE_DEVICES"] for env in started] == [seen]


def test_a_time_limit_kills(host, lab):
    assert host.run(lab.order(recipe=LONG), timeout=0.5) == -signal.SIGKILL


def test_a_dead_template_is_an_error_and_another_host_can_be_started(lab, outcome_of):
    broken = AttemptHost(threads=1)
    order = lab.order(recipe=LONG)
    caught = []

    def run() -> None:
        try:
            broken.run(order)
        except LaunchError as error:
            caught.append(error)

    running = threading.Thread(target=run)
    running.start()
    wait_for(order.parent / "events.jsonl", '"step"')
    template = broken._template.pid
    [attempt] = children(template)
    os.kill(template, signal.SIGKILL)
    running.join()
    assert len(caught) == 1
    assert ended(attempt)
    with pytest.raises(LaunchError):
        broken.run(order)
    again = AttemptHost(threads=1)
    after = lab.order()
    assert again.run(after) == 0
    again.close()
    assert outcome_of(after).state == "finished"


def test_a_host_is_closed_although_its_template_died_before_an_interrupt():
    broken = AttemptHost(threads=1)
    os.kill(broken._template.pid, signal.SIGKILL)
    assert ended(broken._template.pid)
    with pytest.raises(LaunchError, match=r"ended\n    -> check memory"):
        broken.interrupt()
    broken.close()


def test_nothing_outlives_a_killed_driver(lab):
    order = lab.order(recipe=LONG)
    # The host is made and used in a thread that ends: that must not take the template with it.
    program = """
import sys, threading
from pathlib import Path
from workers.runtime.host import AttemptHost
hosts = []
maker = threading.Thread(target=lambda: hosts.append(AttemptHost(threads=1)))
maker.start()
maker.join()
print(hosts[0]._template.pid, flush=True)
hosts[0].run(Path(sys.argv[1]))
"""
    command = [sys.executable, "-c", program, str(order)]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as driver:
        template = int(driver.stdout.readline())
        wait_for(order.parent / "events.jsonl", '"step"')
        [attempt] = children(template)
        driver.kill()
        driver.wait()
        assert ended(template)
        assert ended(attempt)


def test_a_cold_attempt_needs_no_host(lab, outcome_of):
    order = lab.order()
    done = subprocess.run(
        [sys.executable, "-m", "workers.runtime.attempt", str(order)], capture_output=True, check=True
    )
    assert done.stdout == done.stderr == b""
    assert outcome_of(order).state == "finished"


def test_the_host_loads_no_heavy_library():
    program = "import workers.runtime.host, sys, json; print(json.dumps(sorted(sys.modules)))"
    found = json.loads(subprocess.check_output([sys.executable, "-c", program]))
    assert not {"torch", "transformers", "numpy", "pydantic"} & set(found)
