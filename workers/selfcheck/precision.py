"""Row 13: each precision on an encoder and a decoder."""

from __future__ import annotations

import math
from statistics import mean
from typing import get_args

from orchestrator.contracts.metrics import quality
from orchestrator.contracts.recipe import Recipe
from workers.selfcheck.card import first_gpu_has_bf16
from workers.selfcheck.hosts import finished, host_of
from workers.selfcheck.models import bert, llama
from workers.selfcheck.results import Reading, at_most, equal
from workers.selfcheck.workspace import Ran, Texts, Trials, Workspace

_SEEDS = (1, 2, 3)


def precisions(workspace: Workspace) -> list[Reading]:
    """Train three seeds in each precision that this GPU has, and compare the scores with those in fp32."""
    trials, figures = Trials(workspace.of_check("13")), list[Reading]()
    models = bert(workspace, hidden=256, layers=4), llama(workspace, hidden=256, layers=4)
    with host_of(workspace) as host:
        for model in models:
            scores = dict[str, float]()
            for precision in _offered():
                recipe = {"batch_size": 16, "steps": 120, "precision": precision, "learning_rate": 5e-4}
                ran = [
                    finished(
                        host,
                        trials.order(
                            trials.spec(model, texts=Texts(256, 62), recipe=recipe, seed=seed),
                            workspace.resources(),
                            f"{model.architecture}-{precision}-{seed}",
                        ),
                    )
                    for seed in _SEEDS
                ]
                scores[precision] = mean(map(_quality, ran))
                figures += _of(f"{model.architecture}, {precision}", ran, scores[precision] - scores["fp32"])
    return figures


def _offered() -> list[str]:
    """Return the precisions, fp32 first, because the others are compared with it."""
    precisions = [
        p for p in get_args(Recipe.model_fields["precision"].annotation) if p not in ("auto", "fp32")
    ]
    return ["fp32", *(p for p in precisions if p != "bf16" or first_gpu_has_bf16())]


def _of(name: str, ran: list[Ran], difference: float) -> list[Reading]:
    finite = all(math.isfinite(loss) for run in ran for loss in run.losses)
    device = ran[0].outcome.device
    tf32 = device.software.get("tf32", "not told") if device else "not told"
    return [
        equal(f"{name}: losses", "finite" if finite else "not finite", "finite"),
        at_most(f"{name}: mean score differs from fp32's by", abs(difference), 0.01),
        Reading(name=f"{name}: TF32", value=tf32, limit="told", passed=tf32 != "not told"),
    ]


def _quality(ran: Ran) -> float:
    score = quality(ran.outcome.metric, ran.outcome.test)
    return math.nan if score is None else score
