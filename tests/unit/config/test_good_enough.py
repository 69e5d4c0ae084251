"""`good_enough`: what the user calls it, in the sweep file and on the command line."""

from __future__ import annotations

import pytest

from orchestrator.contracts.target import NEAR, SweepTarget, Target


def test_a_task_may_have_a_target_of_its_own():
    found = SweepTarget(within=0.02, tasks={"mednli": Target(at_least=0.8)})
    assert found.of("mednli") == Target(at_least=0.8)
    assert found.of("other") == Target(within=0.02)
    assert SweepTarget(tasks={"mednli": Target(at_least=0.8)}).of("other") == NEAR


@pytest.mark.parametrize("made", [SweepTarget, Target])
def test_a_margin_and_a_least_quality_contradict_each_other(made):
    with pytest.raises(ValueError, match="expected one of them, got within"):
        made(within=0.01, at_least=0.85)
