"""Where the wall time of an attempt went, in the parts that a forecast is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts.outcome import EvaluationEvent
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.probe import Timing
from orchestrator.contracts.vocabulary import Phase
from orchestrator.tracking import probes
from orchestrator.tracking.timing import with_warm_up

PHASES = {
    Phase.START: 2.0,
    Phase.LOAD: 5.0,
    Phase.TOKENISE: 3.0,
    Phase.TRAIN: 60.0,
    Phase.EVALUATE: 10.0,
    Phase.TEST: 6.0,
    Phase.SERVE: 1.0,
    Phase.CHECKPOINT: 4.0,
}


def timing(tmp_path: Path, fate: Fate) -> Timing:
    builder = LedgerBuilder(tmp_path)
    trial = builder.plan()[0]
    builder.attempt(trial, fate)
    found = builder.ledger.history()[trial.name].by_fingerprint[trial.fingerprint].timing
    assert found is not None
    return found


def evaluated(step: int, seconds: float | None) -> EvaluationEvent:
    return EvaluationEvent(at=0.0, step=step, epoch=1.0, metrics={}, best=True, train_seconds=seconds)


def test_the_parts_add_up_to_the_bill(tmp_path: Path) -> None:
    found = timing(tmp_path, Fate(quality=0.5, seconds=100.0, phases=PHASES))
    assert found.wall_seconds == pytest.approx(100.0)
    # 2 s in the phase of starting, and 9 s of the bill that lie in none
    assert found.start_seconds == pytest.approx(11.0)
    assert (found.load_seconds, found.tokenise_seconds, found.train_seconds) == (5, 3, 60)
    assert (found.evaluate_seconds, found.closing_seconds) == (10, 6 + 1 + 4)
    assert found.rows["train_available"] == 400


def test_what_was_inherited_belongs_to_the_result(tmp_path: Path) -> None:
    inherited = {Phase.TRAIN: 30.0, Phase.EVALUATE: 5.0, Phase.LOAD: 7.0}
    found = timing(tmp_path, Fate(quality=0.5, seconds=100.0, phases=PHASES, inherited=inherited))
    assert (found.train_seconds, found.evaluate_seconds) == (90, 15)
    assert found.load_seconds == 5  # what the first attempt loaded, this one loaded again


@pytest.mark.parametrize(
    ("train", "evaluate", "expected"),
    [
        (40_000, 9_000, (1 / 3, 1)),  # each text once: 400 of train and 100 of dev, of 100 tokens
        (120_000, 31_000, (1, 3)),
        (None, None, (None, None)),
    ],
)
def test_the_tokens_say_what_the_backbone_read(
    tmp_path: Path, train: int | None, evaluate: int | None, expected: tuple[float | None, int | None]
) -> None:
    """Three epochs of 400 texts consumed 120,000 tokens. Half of what was read, was so before it resumed."""
    work = {phase: _half(tokens) for phase, tokens in ((Phase.TRAIN, train), (Phase.EVALUATE, evaluate))}
    fate = Fate(quality=0.5, phases=PHASES, outcome={"work": work, "inherited_work": work})
    found = timing(tmp_path, fate)
    assert (found.read_share, found.dev_reads) == pytest.approx(expected)


def _half(tokens: int | None) -> PhaseWork:
    return PhaseWork(tokens=None if tokens is None else tokens // 2)


@pytest.mark.parametrize(("read", "warm_up"), [(120_000, 6.0), (40_000, 0.0)])
def test_epochs_of_the_head_alone_are_no_measure_of_the_warm_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: int, warm_up: float
) -> None:
    builder = LedgerBuilder(tmp_path)
    trial = builder.plan()[0]
    work = {Phase.TRAIN: PhaseWork(tokens=read)}
    builder.attempt(trial, Fate(quality=0.5, phases=PHASES, outcome={"work": work}))
    curve = [evaluated(10, 10.0), evaluated(20, 14.0).model_copy(update={"epoch": 2.0})]
    monkeypatch.setattr(probes, "curves", lambda attempts, steps: ([], curve))
    found = probes.probe_history(builder.ledger, [trial])[trial.name].by_fingerprint[trial.fingerprint]
    assert found.timing is not None
    assert found.timing.warm_up_seconds == pytest.approx(warm_up)


def test_records_without_work_do_not_say_what_was_read(tmp_path: Path) -> None:
    found = timing(tmp_path, Fate(quality=0.5, phases=PHASES))
    assert (found.read_share, found.dev_reads) == (None, None)


def test_the_first_steps_of_a_process_are_slower_and_counted_apart() -> None:
    whole = Timing(device_type="cpu", train_seconds=14.0, steps=20)
    # 10 s up to the half, then 0.4 s a step: at that pace the first half takes 4 s, and 6 s are warm-up
    found = with_warm_up(whole, [evaluated(10, 10.0), evaluated(20, 14.0)])
    assert found.warm_up_seconds == pytest.approx(6.0)
    assert found.train_seconds == pytest.approx(8.0)
    assert found.wall_seconds == whole.wall_seconds


@pytest.mark.parametrize(
    "evaluations",
    [
        [],
        [evaluated(20, 14.0)],
        [evaluated(10, None), evaluated(20, 14.0)],
        [evaluated(10, 5.0), evaluated(20, 14.0)],  # the second half was slower: there was no warm-up
    ],
)
def test_without_two_evaluations_or_a_slow_start_there_is_no_warm_up(
    evaluations: list[EvaluationEvent],
) -> None:
    whole = Timing(device_type="cpu", train_seconds=14.0, steps=20)
    assert with_warm_up(whole, evaluations) == whole
