"""Row 15: run on one GPU what several use: NCCL, and states that are sharded and kept in host memory."""

from __future__ import annotations

from importlib.util import find_spec

from orchestrator.contracts.layout import MODEL
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.resources import Resources
from workers.selfcheck.hosts import carry_out_order, host_of
from workers.selfcheck.models import bert
from workers.selfcheck.results import Reading, equal
from workers.selfcheck.workspace import Texts, Trials, Workspace


def one_rank(workspace: Workspace) -> list[Reading]:
    """Run one process with each way of sharding that one GPU allows: those that keep states in host memory.
    The worker itself checks that a saved adapter gives the same predictions."""
    trials, figures = Trials(workspace.of_check("15")), list[Reading]()
    kinds = ["fsdp"] + (["zero2", "zero3"] if find_spec("deepspeed") is not None else [])
    with host_of(workspace) as host:
        for kind in kinds:
            for settings in (Full(), Lora()):
                resources = Resources.model_validate({"gpus": 1, "sharding": kind, "offload": True})
                trial = trials.spec(bert(workspace, hidden=256, layers=4), settings, Texts(64, 62))
                name = f"{kind} with offload, {settings.kind}"
                ran = carry_out_order(host, trials.order(trial, resources, name, keep_weights="adapters"))
                failure = ran.outcome.failure
                state = ran.outcome.state if failure is None else f"{failure.kind}, {failure.message}"
                figures.append(equal(name, state, "finished"))
                if settings.kind == "lora" and failure is None:
                    saved = any((ran.directory / MODEL).glob("adapter_model*"))
                    figures.append(equal(f"{name}: adapter", "kept" if saved else "missing", "kept"))
    return figures
