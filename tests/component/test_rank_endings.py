"""What the processes of an attempt make of their exit codes, each in the order in which they end."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import FAILED_ALONE, LOST_A_PEER
from workers.runtime.rank_processes import Running

ABORTED, KILLED = -signal.SIGABRT, -signal.SIGKILL


def ended(*ranks: tuple[int, int]) -> Running:
    """Real processes, by rank and exit code, that end one after the other."""
    gates, children = [], {}
    for rank, code in ranks:
        waits, opens = os.pipe()
        end = f"exit {code}" if code >= 0 else f"kill -{-code} $$"
        dup = [(os.POSIX_SPAWN_DUP2, waits, 0)]
        child = os.posix_spawn("/bin/sh", ["sh", "-c", f"read _; {end}"], os.environ, file_actions=dup)
        os.close(waits)
        children[child] = rank
        gates.append(opens)
    running = Running(children)
    for gate in gates:
        left = len(running.descriptors)
        os.close(gate)
        while len(running.descriptors) == left:
            select.select(running.descriptors, [], [])
            running.reap()
    return running


@pytest.fixture
def draft(tmp_path: Path) -> bytes:
    """What rank 1 wrote before it ended alone."""
    words = b'{"why": "out of memory"}'
    (tmp_path / "outcome.rank-1.json").write_bytes(words)
    return words


@pytest.mark.parametrize("ranks", [((1, FAILED_ALONE), (0, ABORTED)), ((0, ABORTED), (1, FAILED_ALONE))])
def test_the_rank_that_failed_is_the_reason_not_those_aborted_for_it(tmp_path, draft, ranks):
    assert ended(*ranks).close(tmp_path) == 0
    assert (tmp_path / layout.OUTCOME).read_bytes() == draft


def test_a_rank_that_was_killed_is_the_reason_not_those_aborted_for_it(tmp_path):
    assert ended((0, ABORTED), (2, ABORTED), (1, KILLED)).close(tmp_path) == KILLED


def test_a_rank_that_crashed_is_the_reason_not_those_aborted_for_it(tmp_path):
    assert ended((0, ABORTED), (1, 1)).close(tmp_path) == 1


def test_where_all_were_aborted_that_is_the_reason(tmp_path):
    assert ended((1, ABORTED), (0, ABORTED)).close(tmp_path) == ABORTED


def test_one_that_aborted_by_itself_is_the_reason_for_those_that_lost_it(tmp_path):
    assert ended((1, ABORTED), (0, LOST_A_PEER)).close(tmp_path) == ABORTED


def test_what_nccl_says_stays_where_an_attempt_failed(tmp_path):
    for code, kept in ((1, True), (0, False)):
        log = layout.nccl_log(tmp_path, 1)
        log.write_text("no route")
        ended((1, code), (0, code)).close(tmp_path)
        assert log.exists() == kept
