"""The history of the trials of probes, with the warm-up apart from the pace."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.tracking.events import curves
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.timing import with_warm_up


def probe_history(ledger: Ledger, trials: Sequence[PlannedTrial]) -> dict[str, TrialHistory]:
    """Return the history by name. Events are read, which takes too long for whole sweeps."""
    histories = ledger.history(trial.name for trial in trials)
    for trial in trials:
        trial_history = histories.get(trial.name)
        under = None if trial_history is None else trial_history.by_fingerprint.get(trial.fingerprint)
        if trial_history is None or under is None or under.timing is None:
            continue
        _, evaluations = curves(ledger.trial(trial).current, steps=False)
        if under.timing.read_share is not None and under.timing.read_share < 1:
            # Later epochs ran the head alone: against their pace all of the first one would seem warm-up.
            evaluations = [evaluation for evaluation in evaluations if evaluation.epoch <= 1]
        timing = with_warm_up(under.timing, evaluations)
        timed = under.model_copy(update={"timing": timing})
        by_fingerprint = trial_history.by_fingerprint | {trial.fingerprint: timed}
        histories[trial.name] = trial_history.model_copy(update={"by_fingerprint": by_fingerprint})
    return histories
