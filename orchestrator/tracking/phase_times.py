"""Which second of an attempt was in which phase, also for a killed one that wrote no figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.contracts.outcome import Bill, Event, Outcome, PhaseEvent, PhaseSeconds, StartEvent
from orchestrator.contracts.vocabulary import Phase, Source


@dataclass(frozen=True)
class Timeline:
    """Wall seconds by phase. `inherited`: what the checkpoint that it went on from had spent."""

    phases: PhaseSeconds = field(default_factory=dict)
    inherited: PhaseSeconds = field(default_factory=dict)
    source: Source = Source.MISSING


def timeline_of(
    ordered_at: float, outcome: Outcome | None, bill: Bill | None, events: Sequence[Event]
) -> Timeline:
    """Return the attempt's own measurements if it wrote them, else the times of its events, the first phase
    beginning with its order and the last one lasting to the end. An attempt that was billed without any event
    was still in its start.

    The time between allocation and the request for the process comes from the bill: the queue.
    """
    if outcome is not None and outcome.phases:
        own = dict(outcome.phases)
        return Timeline(_queue(bill) | own, dict(outcome.inherited_phases), Source.MEASURED)
    if bill is None and not events:
        return Timeline()
    inherited = next((dict(e.inherited_phases) for e in events if isinstance(e, StartEvent)), {})
    began = ordered_at if bill is None else bill.asked_at or bill.allocated_at
    ends = events[-1].at if bill is None else bill.released_at
    phases = _queue(bill)
    since, phase = began, Phase.START
    for event in events:
        if isinstance(event, PhaseEvent):
            phases[phase] = phases.get(phase, 0.0) + max(0.0, event.at - since)
            since, phase = event.at, event.phase
    phases[phase] = phases.get(phase, 0.0) + max(0.0, ends - since)
    return Timeline(phases, inherited, Source.ESTIMATED)


def _queue(bill: Bill | None) -> PhaseSeconds:
    if bill is None or bill.asked_at is None:
        return {}
    return {Phase.QUEUE: max(0.0, bill.asked_at - bill.allocated_at)}
