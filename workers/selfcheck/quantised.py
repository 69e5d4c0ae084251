"""Rows 11 and 12: bases in 4 and 8 bits, and adapters that share one base."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

from orchestrator.contracts.layout import MODEL, ORDER
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Precision
from workers.methods import quantised as methods_quantised
from workers.models import backbones
from workers.selfcheck.card import INSTALL_BITSANDBYTES, has_bitsandbytes
from workers.selfcheck.hosts import ForkedHost, Host, finished, host_of
from workers.selfcheck.memory import planned_bytes
from workers.selfcheck.models import llama
from workers.selfcheck.results import CheckProblemError, LeftOutError, Reading, at_most, equal
from workers.selfcheck.workspace import Ran, Texts, Trials, Workspace

Kind = Literal["nf4", "int8"]
_KINDS: tuple[Kind, ...] = ("nf4", "int8")
_LAST = 10  # steps whose mean loss is compared


def quantised(workspace: Workspace) -> list[Reading]:
    """Train LoRA on a base in nf4 and int8, and compare it with bf16. The worker itself loads each adapter
    again, and fails the attempt if its predictions differ."""
    if not has_bitsandbytes():
        problem = "bitsandbytes is not installed"
        if workspace.rehearsal:
            raise LeftOutError(problem)
        raise CheckProblemError(problem, INSTALL_BITSANDBYTES)
    trials = Trials(workspace.of_check("11"))
    with nullcontext(ForkedHost(_on_cores)) if workspace.rehearsal else host_of(workspace) as host:
        reference = _train(workspace, trials, host, None)
        return [
            figure
            for quantise in _KINDS
            for figure in _compared(workspace, trials, host, quantise, _end(reference))
        ]


@contextmanager
def _on_cores() -> Iterator[None]:
    """Allow quantised trials on the CPU, which are usually unsupported because their cost says nothing about
    a GPU."""
    for module in (backbones, methods_quantised):
        setattr(module, "refuse_quantised", lambda *_: None)  # noqa: B010  # mypy knows no other way
    yield


def _train(workspace: Workspace, trials: Trials, host: Host, quantise: Kind | None) -> Ran:
    base = llama(workspace, hidden=workspace.sized(1024, 64), layers=workspace.sized(8, 2))
    steps = workspace.sized(60, 10)
    recipe: dict[str, Any] = {"batch_size": workspace.sized(16, 8), "steps": steps, "evaluations": steps}
    recipe |= {"precision": "bf16", "learning_rate": 2e-3}
    texts = Texts(64, workspace.sized(126, 20))
    trial = trials.spec(base, Lora(quantise=quantise, dropout=0.0), texts, recipe=recipe)
    return finished(
        host, trials.order(trial, workspace.resources(), quantise or "bf16", keep_weights="adapters")
    )


def _end(ran: Ran) -> float:
    last = ran.losses[-_LAST:]
    return sum(last) / len(last)


def _compared(
    workspace: Workspace, trials: Trials, host: Host, quantise: Kind, reference: float
) -> list[Reading]:
    ran = _train(workspace, trials, host, quantise)
    loss = _end(ran)
    saved = (ran.directory / MODEL / "adapter_model.safetensors").exists()
    figures = [
        equal(f"{quantise}: loss", "finite" if math.isfinite(loss) else "not finite", "finite"),
        equal(f"{quantise}: adapter", "kept" if saved else "missing", "kept"),
    ]
    if workspace.rehearsal:  # its few steps are too short to learn anything
        return figures
    fell = loss < sum(ran.losses[:_LAST]) / _LAST
    return [
        *figures,
        equal(f"{quantise}: loss", "fell" if fell else "did not fall", "fell"),
        at_most(f"{quantise}: last losses differ from bf16's by a share of", abs(loss / reference - 1), 0.05),
        _memory(ran, quantise),
    ]


def _memory(ran: Ran, quantise: str) -> Reading:
    order = AttemptOrder.model_validate_json((ran.directory / ORDER).read_bytes())
    needs = planned_bytes(order.trial, order.resources, Precision(order.trial.recipe.precision))
    peak = ran.outcome.peak_device_memory_bytes or 0
    return at_most(f"{quantise}: peak, share of the estimate", peak / needs, 1.0)


def adapters_on_one_base(workspace: Workspace) -> list[Reading]:
    """Train several adapters in one process, on one copy of their base."""
    raise LeftOutError("not built")
