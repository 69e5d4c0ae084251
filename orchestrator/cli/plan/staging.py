"""What staging will fetch or generate before the first trial of a plan, and how much that is."""

from __future__ import annotations

from typing import TypedDict

from orchestrator.cli.paths import cache_of
from orchestrator.config.data_digests import is_data_here
from orchestrator.config.lock import repository_of
from orchestrator.config.weights_digests import is_staged
from orchestrator.contracts.backbone import MadeWeights
from orchestrator.contracts.generated import made_root
from orchestrator.planning import Plan
from orchestrator.units import byte_size

_BYTES_PER_WEIGHT = 4  # most hubs have fp32; half as much is fetched of a model in half precision


class ToStage(TypedDict):
    """Keys are stable: `--json` prints them."""

    item: str
    hub: str | None  # its repository; None: it is generated
    bytes: int | None  # to fetch; None where they are not known before


def to_stage_json(plan: Plan) -> list[ToStage]:
    """Return what is not on this machine yet. Empty if nothing runs, or if the storage is a remote one, which
    may have all of it."""
    if plan.sweep.remote is not None or not (plan.to_run or plan.candidates_to_run):
        return []
    cache = cache_of(plan.sweep.storage)
    backbones = {cell.backbone.name: cell.backbone for cell in plan.cells.values()}
    tasks = {cell.task.spec.name: cell.task.spec for cell in plan.cells.values()}
    rows: list[ToStage] = []
    for name, spec in backbones.items():
        if isinstance(spec.weights, MadeWeights) and not made_root(cache, spec.weights).is_dir():
            rows.append({"item": name, "hub": None, "bytes": None})
        elif (repository := repository_of(spec)) is not None and not is_staged(spec, cache):
            size = None if spec.parameters is None else _BYTES_PER_WEIGHT * spec.parameters
            rows.append({"item": name, "hub": repository[0], "bytes": size})
    for name, task in tasks.items():
        if (repository := repository_of(task)) is not None and not is_data_here(task, plan.sweep.lock, cache):
            rows.append({"item": name, "hub": repository[0], "bytes": None})
    return rows


def to_stage(plan: Plan) -> list[str]:
    """Return a line for what is fetched and one for what is generated; none if there is nothing."""
    rows = to_stage_json(plan)
    fetched = [row for row in rows if row["hub"] is not None]
    lines = []
    if fetched:
        sizes = [row["bytes"] for row in fetched if row["bytes"] is not None]
        total = f"about {byte_size(sum(sizes))}" if sizes else "of a size that is not known yet"
        rest = len(fetched) - len(sizes)
        more = f", and {rest} of unknown size" if sizes and rest else ""
        lines.append(f"fetched first: {', '.join(row['item'] for row in fetched)} ({total}{more})")
    if generated := [row["item"] for row in rows if row["hub"] is None]:
        lines.append(f"generated first: weights of {', '.join(generated)}")
    return lines
