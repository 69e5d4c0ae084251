"""Why an attempt ended that left no outcome of its own."""

from __future__ import annotations

import signal

import pytest

from orchestrator.contracts.exit_codes import LOST_A_PEER, NODE_LOST
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.execution.exit_reasons import Ending, code_of_nodes, failure_of

ABORTED, KILLED = -signal.SIGABRT, -signal.SIGKILL


@pytest.mark.parametrize("other", [0, ABORTED, LOST_A_PEER, KILLED, 1])
def test_a_lost_node_is_a_preemption_whatever_became_of_the_others(other: int) -> None:
    assert failure_of(Ending(code_of_nodes([other, NODE_LOST])))[0] is FailureKind.PREEMPTED


@pytest.mark.parametrize("consequence", [0, ABORTED, LOST_A_PEER])
def test_the_node_that_failed_by_itself_is_the_reason(consequence: int) -> None:
    assert code_of_nodes([consequence, 1]) == code_of_nodes([1, consequence]) == 1


def test_ranks_that_were_aborted_are_no_reason_beside_one_that_lost_a_peer() -> None:
    assert code_of_nodes([ABORTED, LOST_A_PEER]) == LOST_A_PEER


def test_where_all_were_aborted_that_is_the_reason() -> None:
    assert code_of_nodes([ABORTED, ABORTED]) == ABORTED
