"""Where the wall time of a finished attempt went: the forecast of trials like it rests on this."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.outcome import Bill, EvaluationEvent, Outcome
from orchestrator.contracts.phase_work import add_work, sum_of
from orchestrator.contracts.probe import Timing
from orchestrator.contracts.vocabulary import Phase

_AT_WORK = frozenset(Phase) - {Phase.QUEUE, Phase.START}


def timing_of(outcome: Outcome, bill: Bill) -> Timing | None:
    """Return the timing, None if it did not train. Billed seconds outside all phases count as start."""
    own, kept = outcome.phases, outcome.inherited_phases
    both = {phase: own.get(phase, 0.0) + kept.get(phase, 0.0) for phase in Phase}
    if both[Phase.TRAIN] <= 0:
        return None
    done = sum_of(list(add_work(outcome.work, outcome.inherited_work).values()))
    return Timing(
        device_type=bill.device_type,
        start_seconds=max(0.0, bill.wall_seconds - sum(own.get(phase, 0.0) for phase in _AT_WORK)),
        load_seconds=own.get(Phase.LOAD, 0.0),
        tokenise_seconds=own.get(Phase.TOKENISE, 0.0),
        train_seconds=both[Phase.TRAIN],
        steps=outcome.steps,
        evaluate_seconds=both[Phase.EVALUATE],
        closing_seconds=own.get(Phase.TEST, 0.0) + own.get(Phase.SERVE, 0.0) + both[Phase.CHECKPOINT],
        test_seconds=own.get(Phase.TEST, 0.0),
        devices=bill.devices,
        rows=outcome.rows,
        joules=done.joules(on_gpu=bill.device_type != CPU),
        peak_memory_bytes=_peak(outcome, bill),
        spread="" if outcome.device is None else outcome.device.spread,
        read_share=outcome.read_share,
        dev_reads=outcome.dev_reads,
        pass_size=outcome.micro_batch_size,
    )


def with_warm_up(timing: Timing, evaluations: Sequence[EvaluationEvent]) -> Timing:
    """The first steps of a process are slower than the rest. With two evaluations or more the training before
    the first one tells how much: what it took beyond the pace of the steps after it."""
    timed = [(e.step, e.train_seconds) for e in evaluations if e.train_seconds is not None]
    if len(timed) < 2 or timed[-1][0] <= timed[0][0] or not timing.steps:
        return timing
    (first, until), (last, whole) = timed[0], timed[-1]
    pace = (whole - until) / (last - first)
    warm_up = min(max(0.0, until - pace * first), timing.train_seconds / 2)
    return timing.model_copy(
        update={"warm_up_seconds": warm_up, "train_seconds": timing.train_seconds - warm_up}
    )


def _peak(outcome: Outcome, bill: Bill) -> int | None:
    if bill.device_type == CPU:
        return outcome.peak_host_memory_bytes
    return outcome.peak_device_memory_bytes
