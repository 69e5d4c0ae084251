"""What happens when machines go wrong, on real Ray nodes in namespaces of this machine (`rig`).

After each fault: no trial is lost, none finishes twice, no attempt does more than one checkpoint interval of
work anew, and the scores are those of a calm run to the last bit.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import Guest, Node, Rig, address_of, wait_for, why_not
from workshop import Workshop

pytestmark = [pytest.mark.e2e, pytest.mark.rig]

Calm = dict[str, Any]
KEYS: dict[str, Any] = {
    "domains": ["clinical"],
    "methods": [{"name": "full", "learning_rate": 1e-3}],
    "tasks": ["mini-ner"],
    "seeds": [1, 2],
    "recipe": {"epochs": 8, "batch_size": 4},
    "retries": 0,
    "concurrency": 2,
}
CHECKPOINT_INTERVAL = 87  # steps, an epoch


@pytest.fixture(scope="session")
def can_make_nodes() -> None:
    lacking = why_not()
    if lacking is not None:
        pytest.skip(f"no nodes can be made of namespaces: {lacking}")


@pytest.fixture(scope="module")
def calm(can_make_nodes: None, new_workshop: Callable[[], Workshop]) -> Calm:
    """The scores by trial of a run that nothing happens to."""
    workshop = new_workshop()
    workshop.frontier("run", workshop.write(**KEYS), "--launcher", "local")
    return {outcome["trial"]: outcome["test"] for outcome in workshop.outcomes().values()}


@pytest.fixture
def sweep(can_make_nodes: None, new_workshop: Callable[[], Workshop]) -> Sweep:
    return Sweep(new_workshop())


@pytest.fixture
def rig(sweep: Sweep) -> Iterator[Rig]:
    with Rig(sweep.workshop.environment) as made:
        yield made


class Sweep:
    """The sweep in a workshop, driven from the head of a rig."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.trials = workshop.sweeps / "mini" / "trials"

    def drive(self, head: Node, **changes: Any) -> Guest:
        file = self.workshop.write(**{**KEYS, **changes})
        command = self.workshop.command("run", file, "--address", address_of(head))
        return head.run(command, self.workshop.root)

    def attempts(self) -> dict[str, list[Path]]:
        """Directories by trial, oldest first."""
        found: dict[str, list[Path]] = {}
        for order in sorted(self.trials.rglob("order.json")):
            found.setdefault(str(order.parent.parent.relative_to(self.trials)), []).append(order.parent)
        return found

    def hold(self, node: Node) -> tuple[str, int]:
        """Waits until a trial has a checkpoint on the node, and makes its process stand still there: however
        fast the machine is, it will not be over when the fault comes. Gives the trial and the process."""
        held: list[tuple[str, int]] = []

        def under_way() -> bool:
            for trial, attempts in self.attempts().items():
                pid = node.at_work(attempts[-1])
                if pid is not None and any((attempts[-1] / "checkpoint").glob("step-*[0-9]")):
                    os.kill(pid, signal.SIGSTOP)
                    if not (attempts[-1] / "outcome.json").exists():
                        held.append((trial, pid))
                        return True
                    os.kill(pid, signal.SIGCONT)
            return False

        wait_for(under_way, f"a trial under way on {node.name}")
        return held[0]

    def failures(self) -> list[str]:
        outcomes = self.workshop.outcomes().values()
        return [outcome["failure"]["kind"] for outcome in outcomes if outcome["failure"]]

    def check(self, calm: Calm) -> None:
        finished = [o for o in self.workshop.outcomes().values() if o["state"] == "finished"]
        assert Counter(outcome["trial"] for outcome in finished) == Counter(list(calm))
        assert {outcome["trial"]: outcome["test"] for outcome in finished} == calm
        for trial, attempts in self.attempts().items():
            assert wasted(attempts) <= CHECKPOINT_INTERVAL, trial
        assert Counter(t["frontier.trial"] for t in self.workshop.runs()) == Counter(list(calm))


def events(attempt: Path) -> list[dict[str, Any]]:
    """A killed attempt may have cut its last line."""
    lines = (attempt / "events.jsonl").read_text().splitlines() if (attempt / "events.jsonl").exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def wasted(attempts: list[Path]) -> int:
    """The most steps that an attempt of a trial did in vain: beyond where the next one went on."""
    most = 0
    for lost, after in itertools.pairwise(attempts):
        done = max((event["step"] for event in events(lost) if event["event"] == "step"), default=0)
        [went_on] = [e["resumed_from_step"] or 0 for e in events(after) if e["event"] == "start"] or [done]
        most = max(most, done - went_on)
    return most


def test_trials_land_on_the_nodes_that_have_what_they_want(rig: Rig, sweep: Sweep, calm: Calm) -> None:
    head = rig.head()
    rig.worker("small", head, cpus=1)
    rig.worker("accelerated", head, cpus=1, gpus=4)
    rig.worker("large", head, cpus=2)
    for node in rig.nodes:
        node.await_start()
    driver = sweep.drive(head, resources={"cpus": 2})
    seen = dict[Path, str]()

    def over() -> bool:
        for attempt in itertools.chain(*sweep.attempts().values()):
            places = [node.name for node in rig.nodes if node.at_work(attempt) is not None]
            seen.update({attempt: places[0]} if places else {})
        return not driver.running()

    wait_for(over, "the end of the sweep")
    assert driver.wait() == 0, driver.output()
    assert set(seen.values()) == {"large"}
    assert sorted(seen) == sorted(itertools.chain(*sweep.attempts().values()))
    sweep.check(calm)


def test_a_node_that_dies_costs_its_trial_one_attempt(rig: Rig, sweep: Sweep, calm: Calm) -> None:
    head = rig.head()
    first = rig.worker("first", head, cpus=1)
    rig.worker("second", head, cpus=1)
    driver = sweep.drive(head)
    trial, _ = sweep.hold(first)
    first.kill()
    assert driver.wait() == 0, driver.output()
    assert len(sweep.attempts()[trial]) == 2
    assert sweep.failures() == ["PREEMPTED"]
    sweep.check(calm)


def test_a_node_that_is_reclaimed_costs_no_retry(rig: Rig, sweep: Sweep, calm: Calm) -> None:
    """SIGTERM, as a spot node gives its pods, and another node for it; the sweep has no retries."""
    head = rig.head()
    spot = rig.worker("spot", head, cpus=1)
    driver = sweep.drive(head, concurrency=1)
    trial, _ = sweep.hold(spot)
    rig.worker("instead", head, cpus=1)
    spot.tell_to_go()
    spot.wait()
    assert driver.wait() == 0, driver.output()
    assert len(sweep.attempts()[trial]) == 2
    assert sweep.failures() == ["PREEMPTED"]
    sweep.check(calm)


def test_a_head_that_dies_with_the_driver_is_replaced(rig: Rig, sweep: Sweep, calm: Calm) -> None:
    """The same command on another head goes on. The orphan of the first one wakes up meanwhile: it stops
    before it changes anything."""
    head = rig.head()
    orphan = rig.worker("orphan", head, cpus=1)
    driver = sweep.drive(head, concurrency=1)
    wait_for(sweep.workshop.outcomes, "a trial that is done")
    before = sweep.workshop.outcomes()
    trial, process = sweep.hold(orphan)
    head.kill()
    driver.wait()
    second = rig.head("head-2")
    rig.worker("worker-2", second, cpus=1)
    again = sweep.drive(second, concurrency=1)
    wait_for(lambda: len(sweep.attempts()[trial]) == 2, "another attempt at the orphaned trial")
    os.kill(process, signal.SIGCONT)
    wait_for(lambda: orphan.at_work(sweep.attempts()[trial][0]) is None, "the end of the orphan")
    assert again.wait() == 0, again.output()
    assert before.items() <= sweep.workshop.outcomes().items()
    assert sweep.failures() == ["PREEMPTED"]
    sweep.check(calm)


def test_a_cut_off_node_that_comes_back_changes_nothing(rig: Rig, sweep: Sweep, calm: Calm) -> None:
    """It is taken for dead, and the trial goes on elsewhere. Then its attempt goes on as well, on the disk
    that all share, and last of all it is back on the network."""
    head = rig.head()
    lonely = rig.worker("lonely", head, cpus=1)
    rig.worker("other", head, cpus=1)
    driver = sweep.drive(head)
    trial, process = sweep.hold(lonely)
    lonely.cut_off()
    wait_for(lambda: len(sweep.attempts()[trial]) == 2, "another attempt at the lost trial")
    first = sweep.attempts()[trial][0]
    closed = {name: (first / name).read_bytes() for name in ("outcome.json", "bill.json")}
    os.kill(process, signal.SIGCONT)
    wait_for(lambda: lonely.at_work(first) is None, "the end of the late attempt")
    lonely.heal()
    lonely.wait()
    assert driver.wait() == 0, driver.output()
    assert {name: (first / name).read_bytes() for name in closed} == closed
    assert sweep.failures() == ["PREEMPTED"]
    sweep.check(calm)


def test_a_driver_that_dies_is_replaced_and_a_second_one_is_refused(
    rig: Rig, sweep: Sweep, calm: Calm
) -> None:
    """The cluster lives on."""
    head = rig.head()
    worker = rig.worker("worker", head, cpus=2)
    driver = sweep.drive(head)
    trial, _ = sweep.hold(worker)
    refused = sweep.drive(head)
    assert refused.wait() == 2
    assert "another driver is at work on this sweep" in refused.output()
    driver.kill()
    wait_for(lambda: worker.at_work(sweep.attempts()[trial][0]) is None, "the end of what it had started")
    again = sweep.drive(head)
    assert again.wait() == 0, again.output()
    assert len(sweep.attempts()[trial]) == 2
    sweep.check(calm)
