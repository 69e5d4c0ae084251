"""Rows 4 to 6: running out of memory, a kill in the middle of training, a device failure."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from orchestrator.contracts import layout
from orchestrator.contracts.device import CONTEXT_BYTES, GIB
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.contracts.layout import MODEL
from orchestrator.contracts.outcome import CheckpointEvent, StepEvent
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import FailureKind, Phase
from workers.selfcheck.card import used_bytes
from workers.selfcheck.hosts import Around, ForkedHost, finished, host_of
from workers.selfcheck.injected import broken_index, killed_after_a_checkpoint, too_little_memory
from workers.selfcheck.models import bert
from workers.selfcheck.results import Reading, at_most, equal
from workers.selfcheck.retried import run_with_retries
from workers.selfcheck.workspace import Ran, Texts, Trials, Workspace

_SHARE_BYTES = 1.2 * GIB + CONTEXT_BYTES
_LEFT_BYTES = 64 * 2**20


def out_of_memory(workspace: Workspace) -> list[Reading]:
    """Run passes of a whole batch out of memory; the next attempt halves them and finishes."""
    trials = Trials(workspace.of_check("4"))
    backbone = bert(workspace, hidden=workspace.sized(768, 64), layers=workspace.sized(4, 2))
    batch = workspace.sized(128, 16)
    recipe: dict[str, Any] = {
        "batch_size": batch,
        "steps": 8,
        "evaluations": 8,
        "precision": "fp32",
        "warmup_ratio": 0.2,
    }
    recipe["evaluation_batch_size"] = batch // 2
    trial = trials.spec(backbone, texts=Texts(batch, workspace.sized(126, 20)), recipe=recipe)
    before = used_bytes(workspace)
    around: Around = (lambda: too_little_memory(batch // 2)) if workspace.rehearsal else nullcontext
    resources = workspace.resources() if workspace.rehearsal else Resources(gpus=_share())
    attempts = run_with_retries(trials, trial, resources, lambda threads: ForkedHost(around), "first")
    after = used_bytes(workspace)
    first, last = attempts[0][0], attempts[-1][0]
    size = last.outcome.micro_batch_size or 0
    smaller = workspace.resources(micro_batch_size=size or None)
    with host_of(workspace) as host:
        reference = finished(host, trials.order(trial, smaller, "reference"))
    return [
        equal("failure of the first attempt", first.failure_kind, str(FailureKind.OUT_OF_MEMORY)),
        equal("last attempt", last.outcome.state, "finished"),
        Reading(
            name="its examples per pass",
            value=size,
            limit=f"at most {batch // 2}",
            passed=0 < size <= batch // 2,
        ),
        at_most(
            "its losses differ from those of a run with such passes by", reference.losses_apart(last), 1e-4
        ),
        equal("bills", float(len(attempts)), float(len({bill.allocated_at for _, bill in attempts}))),
        *([] if workspace.rehearsal else [at_most("bytes left on the GPU", after - before, _LEFT_BYTES)]),
    ]


def _share() -> float:
    [gpu, *_] = visible_gpus()
    return _SHARE_BYTES / gpu.memory_bytes


def killed_while_training(workspace: Workspace) -> list[Reading]:
    """Kill an attempt after a checkpoint. The next one resumes there, and ends where it would have ended."""
    trials = Trials(workspace.of_check("5"))
    width, layers = workspace.sized(512, 64), workspace.sized(4, 2)
    backbone = bert(workspace, hidden=width, layers=layers, dropout=True)
    steps = workspace.sized(48, 12)
    recipe: dict[str, Any] = {"batch_size": workspace.sized(32, 8), "steps": steps, "evaluations": steps // 3}
    recipe["precision"] = "fp32"
    trial = trials.spec(backbone, texts=Texts(96, workspace.sized(478, 20)), recipe=recipe)
    folder = _folder(trials, trial, "killed")
    attempts = run_with_retries(
        trials,
        trial,
        workspace.resources(),
        lambda threads: ForkedHost(lambda: killed_after_a_checkpoint(folder, steps // 2)),
        "killed",
        checkpoint_seconds=0.0,
        keep_weights="all",
    )
    with host_of(workspace) as host:
        uninterrupted, repeated = (
            finished(host, trials.order(trial, workspace.resources(), name, keep_weights="all"))
            for name in ("whole", "again")
        )
    first, last = attempts[0][0], attempts[-1][0]
    resumed = last.outcome.resumed_from_step or 0
    done = max((event.step for event in first.events if isinstance(event, StepEvent)), default=0)
    checkpointed = max(
        (event.step for event in first.events if isinstance(event, CheckpointEvent)), default=0
    )
    spread, difference = _weights_apart(uninterrupted, repeated), _weights_apart(uninterrupted, last)
    return [
        equal("failure of the killed attempt", first.failure_kind, str(FailureKind.PREEMPTED)),
        equal("last attempt", last.outcome.state, "finished"),
        equal("its steps", float(last.outcome.steps), float(steps)),
        Reading(
            name="resumed from step",
            value=resumed,
            limit=f"at least {checkpointed}, the last checkpoint that the events name",
            passed=resumed > 0 and resumed >= checkpointed,
        ),
        Reading(name="steps lost", value=done - resumed),
        Reading(name="two equal runs: largest difference of a weight", value=spread),
        Reading(
            name="the resumed run: largest difference of a weight",
            value=difference,
            limit=f"at most {2 * spread:g}, twice that of equal runs",
            passed=difference <= 2 * spread,
        ),
    ]


def fault_of_the_device(workspace: Workspace) -> list[Reading]:
    """Poison the CUDA context of an attempt with an index out of range: it still leaves its outcome, and the
    next attempt from the same process finishes."""
    trials = Trials(workspace.of_check("6"))
    trial = trials.spec(bert(workspace, hidden=64, layers=2), recipe={"steps": 6, "precision": "fp32"})
    order = trials.order(trial, workspace.resources(), "fault")
    folder, on_gpu = order.parent.parent, not workspace.rehearsal

    def around() -> AbstractContextManager[object]:
        return broken_index(folder, 3, on_gpu)

    host = ForkedHost(around)
    code = host.run(order)
    wrote = (order.parent / layout.OUTCOME).exists()
    figures = [
        equal("outcome of the broken attempt", "written" if wrote else f"none, code {code}", "written")
    ]
    if wrote:
        broken = Ran.read(order.parent)
        failure, kind = broken.outcome.failure, broken.failure_kind
        figures += [
            Reading(name="its failure", value=kind, limit="DEVICE or BUG", passed=kind in ("DEVICE", "BUG")),
            equal("its phase", str(failure.phase) if failure else "none", str(Phase.TRAIN)),
            Reading(
                name="places in the code",
                value=len(failure.places) if failure else 0,
                limit="at least 1",
                passed=bool(failure and failure.places),
            ),
        ]
    after = host.run(trials.order(trial, workspace.resources(), "fault", attempt=2))
    state = Ran.read(folder / "attempt-002").outcome.state if after == 0 else f"exit code {after}"
    return [*figures, equal("next attempt", state, "finished")]


def _folder(trials: Trials, trial: TrialSpec, name: str) -> Path:
    return layout.trial_directory(trials.folder / "sweeps" / name, trial.name)


def _weights_apart(first: Ran, second: Ran) -> float:
    a, b = (load_file(ran.directory / MODEL / "model.safetensors") for ran in (first, second))
    return max(float((a[name].float() - b[name].float()).abs().max()) for name in a)
