"""Open an attempt: claim its number, choose what it resumes from, and write its order.

An attempt that was interrupted, or whose driver was killed, has no outcome: the trial is unfinished. An
attempt whose end the driver saw always has an outcome and a bill (`attempt_end`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.trial import AttemptOrder, TrialSpec
from orchestrator.execution.attempt_records import read_outcome
from orchestrator.execution.launcher import TrialOrder, Workplace


def attempts_so_far(workplace: Workplace, trial: str) -> int:
    """Return the highest attempt number of the trial, under any fingerprint; 0 before the first."""
    numbered = layout.attempts(layout.trial_directory(workplace.sweep_directory, trial))
    return numbered[-1][0] if numbered else 0


def _granted(trial: str, directory: Path, order: bytes) -> bool:
    return True


def open_attempt(
    workplace: Workplace,
    trial: TrialOrder,
    now: float,
    claim: Callable[[str, Path, bytes], bool] = _granted,
) -> AttemptOrder:
    """Claim the next attempt number, choose the checkpoint to resume from, write order.json.

    After attempts under the fingerprint whose forward passes ran out of memory, smaller ones are ordered of
    what did, training or scoring; the optimiser step stays what it is. `claim` is asked, with trial,
    directory and order, whether the number is free beyond this machine. Raises OSError where the directory
    cannot be written.
    """
    while True:
        order = _next_order(workplace, trial, now)
        directory, content = Path(order.directory), order.model_dump_json(indent=1) + "\n"
        if claim(trial.name, directory, content.encode()):
            write_atomically(directory / layout.ORDER, content)
            return order


def _next_order(workplace: Workplace, trial: TrialOrder, now: float) -> AttemptOrder:
    number, directory = _claim(workplace, trial.name)
    return AttemptOrder(
        trial=trial.spec,
        attempt=number,
        directory=str(directory),
        resume_from=checkpoint_to_resume(directory.parent, trial.spec.fingerprint),
        data_dir=None if workplace.data_dir is None else str(workplace.data_dir),
        cache_dir=str(workplace.cache_dir),
        weights=dict(workplace.weights.get(trial.spec.backbone.name, {})),
        resources=trial.resources,
        checkpoint_seconds=workplace.checkpoint_seconds,
        keep_weights=workplace.keep_weights,
        keep_gib=workplace.keep_gib,
        deterministic=workplace.deterministic,
        **_smaller_passes(directory.parent, trial.spec),
        ordered_at=now,
    )


def _claim(workplace: Workplace, trial: str) -> tuple[int, Path]:
    number = attempts_so_far(workplace, trial)
    while True:
        number += 1
        directory = layout.attempt_directory(workplace.sweep_directory, trial, number)
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        return number, directory


def checkpoint_to_resume(trial: Path, fingerprint: str) -> str | None:
    """Return the complete checkpoint with the most steps of the trial's attempts under the fingerprint."""
    best: tuple[int, int, Path] | None = None
    for number, directory in layout.attempts(trial):
        steps = [
            (step, number, path)
            for step, path in layout.checkpoints(directory / layout.CHECKPOINTS)
            if path.is_dir()
        ]
        if steps and _fingerprint(directory) == fingerprint:
            best = max([*steps, best] if best else steps)
    return None if best is None else str(best[2])


def _smaller_passes(directory: Path, trial: TrialSpec) -> dict[str, int | None]:
    """Return the fields of the next order that shrink the passes that ran out of memory, training or scoring,
    in the attempts below the trial's `directory`; down to 1."""
    outcomes = (read_outcome(path) for _, path in layout.attempts(directory))
    tried = [o.too_large for o in outcomes if o is not None and o.fingerprint == trial.fingerprint]
    training, scored = (
        [passes[1] for passes in tried if passes is not None and passes[0] is scoring and passes[1]]
        for scoring in (False, True)
    )
    return {
        "micro_batch_size": trial.recipe.smaller_pass(min(training)) if training else None,
        "evaluation_batch_size": max(1, min(scored) // 2) if scored else None,
    }


def _fingerprint(directory: Path) -> str | None:
    try:
        fingerprint = json.loads((directory / layout.ORDER).read_bytes())["trial"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(fingerprint)
