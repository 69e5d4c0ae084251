"""What happens when machines go wrong, on real Ray nodes in namespaces of this machine (`rig`).

After each fault: no trial is lost, none finishes twice, no attempt does more than one checkpoint interval of
work anew, and the scores are those of a calm run to the last bit.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from rig import Node, Rig, address_of
from rig_sweep import Calm, Sweep
from workshop import Workshop, at_work, wait_for

# Nothing else is made where there are no nodes.
pytestmark = [pytest.mark.e2e, pytest.mark.rig, pytest.mark.usefixtures("nodes")]

Check = Callable[[Calm], None]


@pytest.fixture
def sweep(new_workshop: Callable[[], Workshop]) -> Sweep:
    return Sweep(new_workshop())


@pytest.fixture
def check(sweep: Sweep, record_property: Callable[[str, object], None]) -> Check:
    """What the fault cost must be nothing, or little; what it was goes with the test's result."""

    def checked(calm: Calm) -> None:
        damage = sweep.damage(calm)
        for name, figure in asdict(damage).items():
            record_property(name, figure)
        damage.check()

    return checked


@pytest.fixture(scope="module")
def cluster(nodes: None) -> Iterator[Rig]:
    with Rig(Workshop(Path()).environment) as made:
        made.head()
        yield made


@pytest.fixture
def rig(cluster: Rig) -> Iterator[Rig]:
    """A head that outlives the test: each one brings its own workers, and may do to them what it likes."""
    yield cluster
    cluster.dismiss_workers()


@pytest.fixture
def head(rig: Rig) -> Node:
    return rig.nodes[0]


def test_trials_land_on_the_nodes_that_have_what_they_want(
    rig: Rig, head: Node, sweep: Sweep, calm: Calm, check: Check
) -> None:
    """On cores; and GPUs that do not say what they are are no device."""
    rig.worker("taken", head, cpus=0)
    rig.worker("accelerated", head, cpus=0, gpus=4)
    rig.worker("free", head, cpus=2)
    rig.await_start()
    refused = sweep.drive(head, resources={"device": "nvidia-l4"})
    assert refused.wait() == 3, refused.output()
    assert "ray start --labels frontier/device=NAME" in refused.output()
    assert not sweep.attempts()
    driver = sweep.drive(head)
    seen = dict[Path, str]()

    def over() -> bool:
        for attempt in set(itertools.chain(*sweep.attempts().values())).difference(seen):
            places = [node.name for node in rig.nodes if at_work(attempt, node.processes())]
            seen.update({attempt: places[0]} if places else {})
        return not driver.running()

    wait_for(over, "the end of the sweep")
    assert driver.wait() == 0, driver.output()
    assert set(seen.values()) == {"free"}
    assert sorted(seen) == sorted(itertools.chain(*sweep.attempts().values()))
    check(calm)


def test_each_kind_of_trial_is_at_work_on_its_kind_of_node(
    rig: Rig, head: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: on cores, on one kind of GPU, whole and in part, and on another kind. A node of either kind of
    GPU could hold the trials of the other one."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent)])
    monkeypatch.setitem(rig.environment, "PYTHONPATH", path)  # for the actors
    rig.worker("cores", head, cpus=3)
    rig.worker("small", head, cpus=2, gpus=2, device="nvidia-l4")
    rig.worker("large", head, cpus=2, gpus=2, device="nvidia-a100-80gb")
    rig.await_start()
    command = [sys.executable, str(tests / "rig_placing.py"), address_of(head), str(tmp_path)]
    driver = head.run(command, tmp_path, PYTHONPATH=path)
    assert driver.wait() == 0, driver.output()
    where = json.loads(driver.output().splitlines()[-1])
    names = {node.address: node.name for node in rig.nodes}
    landed = {(name.split("/")[3], names[address]) for name, address in where.items()}
    assert landed == {("cores", "cores"), ("small", "small"), ("half", "small"), ("large", "large")}


def test_nodes_that_die_or_are_reclaimed_cost_a_trial_one_attempt_and_no_retry(
    rig: Rig, head: Node, sweep: Sweep, calm: Calm, check: Check
) -> None:
    """The plug of one is pulled; another gets SIGTERM, as a spot node gives it to its pods, and another node
    for it. The sweep has no retries."""
    first = rig.worker("first", head, cpus=1)
    spot = rig.worker("spot", head, cpus=1)
    rig.await_start()
    driver = sweep.drive(head)
    with ThreadPoolExecutor() as both:  # each as soon as it is under way
        held = [trial for trial, _ in both.map(sweep.hold, (first, spot))]
    first.kill()
    instead = rig.worker("instead", head, cpus=1)
    spot.tell_to_go()
    spot.wait()
    instead.await_start()
    assert driver.wait() == 0, driver.output()
    assert {trial: len(attempts) for trial, attempts in sweep.attempts().items()} == dict.fromkeys(held, 2)
    assert sweep.failures() == ["PREEMPTED", "PREEMPTED"]
    check(calm)


def test_a_head_that_dies_with_the_driver_is_replaced(sweep: Sweep, calm: Calm, check: Check) -> None:
    """The same command on another head goes on. The orphan of the first one wakes up meanwhile: it stops
    before it changes anything."""
    with Rig(sweep.workshop.environment) as rig:
        head = rig.head()
        orphan = rig.worker("orphan", head, cpus=1)
        driver = sweep.drive(head, concurrency=1)
        wait_for(sweep.workshop.outcomes, "a trial that is done")
        before = sweep.workshop.outcomes()
        trial, process = sweep.hold(orphan)
        head.kill()
        driver.wait()
        second = rig.head("head-2")
        rig.worker("worker-2", second, cpus=1).await_start()
        again = sweep.drive(second, concurrency=1)
        wait_for(lambda: len(sweep.attempts()[trial]) == 2, "another attempt at the orphaned trial")
        os.kill(process, signal.SIGCONT)
        first = sweep.attempts()[trial][0]
        wait_for(lambda: at_work(first, orphan.processes()) is None, "the end of the orphan")
        assert again.wait() == 0, again.output()
    assert before.items() <= sweep.workshop.outcomes().items()
    assert sweep.failures() == ["PREEMPTED"]
    check(calm)


def test_a_cut_off_node_that_comes_back_changes_nothing(
    rig: Rig, head: Node, sweep: Sweep, calm: Calm, check: Check
) -> None:
    """It is taken for dead, and the trial goes on elsewhere. Then its attempt goes on as well, on the disk
    that all share, and last of all it is back on the network."""
    lonely = rig.worker("lonely", head, cpus=1)
    rig.worker("other", head, cpus=1)
    rig.await_start()
    driver = sweep.drive(head)
    trial, process = sweep.hold(lonely)
    lonely.cut_off()
    wait_for(lambda: len(sweep.attempts()[trial]) == 2, "another attempt at the lost trial")
    first = sweep.attempts()[trial][0]
    closed = {name: (first / name).read_bytes() for name in ("outcome.json", "bill.json")}
    os.kill(process, signal.SIGCONT)
    wait_for(lambda: at_work(first, lonely.processes()) is None, "the end of the late attempt")
    lonely.heal()
    lonely.wait()
    assert driver.wait() == 0, driver.output()
    assert {name: (first / name).read_bytes() for name in closed} == closed
    assert sweep.failures() == ["PREEMPTED"]
    check(calm)


def test_a_driver_that_dies_is_replaced_and_a_second_one_is_refused(
    rig: Rig, head: Node, sweep: Sweep, calm: Calm, check: Check
) -> None:
    """The cluster lives on."""
    worker = rig.worker("worker", head, cpus=2)
    driver = sweep.drive(head)
    trial, _ = sweep.hold(worker)
    refused = sweep.drive(head)
    assert refused.wait() == 6
    assert "another driver runs this sweep" in refused.output()
    driver.kill()
    first = sweep.attempts()[trial][0]
    wait_for(lambda: at_work(first, worker.processes()) is None, "the end of what it had started")
    again = sweep.drive(head)
    assert again.wait() == 0, again.output()
    assert len(sweep.attempts()[trial]) == 2
    check(calm)
