"""Which failures are worth another attempt. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.vocabulary import FailureKind

_PASSING = frozenset({FailureKind.OUT_OF_MEMORY, FailureKind.TIMEOUT})
_MOST_OUT_OF_MEMORY = 2  # outside forward passes: a neighbour may have taken the memory once


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts after the first one, in one launch, besides those with smaller passes."""

    retries: int = 2  # after failures of the trial's own
    preemptions: int = 8  # after losses of what it ran on: a spot node or a GPU says nothing about the trial

    @property
    def most(self) -> int:
        """After anything but passes that were too large."""
        return self.retries + self.preemptions


class NextStep(StrEnum):
    ATTEMPT = "attempt"
    FINISHED = "finished"
    GIVE_UP = "give up"


def next_step(outcomes: Sequence[Outcome], policy: RetryPolicy) -> NextStep:
    """Return what to do after `outcomes`, all outcomes of one trial in this launch, oldest first.

    TIMEOUT and OUT_OF_MEMORY while loading (once) may pass by themselves and use up `retries`, PREEMPTED and
    DEVICE use up `preemptions`. OUT_OF_MEMORY in forward passes is tried again with smaller ones
    (`open_attempt` does that, for training and scoring apart) down to one example, which neither bounds; in
    the optimiser's state, which is as large whatever the passes are, it is not tried again. The other kinds
    are deterministic: the same attempt again would end the same way.
    """
    if any(outcome.state == "finished" for outcome in outcomes):
        return NextStep.FINISHED
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    too_large = [outcome.too_large for outcome in outcomes if outcome.too_large is not None]
    again = (
        _may_pass([failure.kind for failure in failures if not failure.asks_for_less], policy)
        and all(_can_shrink([size for of, size in too_large if of is scoring]) for scoring in (False, True))
        and not any(failure.lacks_state for failure in failures)
    )
    return NextStep.ATTEMPT if again else NextStep.GIVE_UP


def _may_pass(kinds: Sequence[FailureKind], policy: RetryPolicy) -> bool:
    own = [kind for kind in kinds if not kind.blames_the_machine]
    return (
        len(kinds) - len(own) <= policy.preemptions
        and len(own) <= policy.retries
        and _PASSING.issuperset(own)
        and own.count(FailureKind.OUT_OF_MEMORY) < _MOST_OUT_OF_MEMORY
    )


def _can_shrink(sizes: Sequence[int | None]) -> bool:
    """Return whether a pass smaller than the last one that ran out of memory exists. Sizes at least halve, so
    there are never more of them than the first one has binary digits."""
    if not sizes:
        return True
    first, last = sizes[0], sizes[-1]
    return first is not None and last is not None and last > 1 and len(sizes) < first.bit_length()
