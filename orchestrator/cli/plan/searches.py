"""Searches and contaminated cells of a plan, as a person reads them and as `--json` prints them."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console

from orchestrator.cli.terminal import styled
from orchestrator.contracts.backbone import contamination, pretraining_known
from orchestrator.contracts.tuning import Range, Tune, Value
from orchestrator.planning import Plan, Search
from orchestrator.units import quantity, rounded

_MOST_LINES = 12


def search_json(search: Search) -> dict[str, object]:
    """Stable keys: cell, trials, seed, space, drawn, left, forecast_seconds, tuned, problem."""
    return {
        "cell": search.cell.cell.name,
        **search.tune.model_dump(mode="json"),
        "drawn": [{"trial": c.trial.name, **c.values} for c in search.candidates],
        "left": search.left,
        "forecast_seconds": _seconds(search),
        "tuned": None if search.tuned is None else search.tuned.model_dump(mode="json"),
        "problem": search.problem,
    }


def _seconds(search: Search) -> float | None:
    """Return the forecast of what is left to run, None where a part of it is not known."""
    ahead = [forecast for part in search.ahead for forecast in part]
    forecasts = [forecast.seconds for forecast in ahead if forecast is not None]
    return sum(forecasts) if len(forecasts) == len(ahead) else None


def show_searches(plan: Plan, console: Console) -> None:
    """Show a line per method and space; the winners are in the report."""
    groups: dict[tuple[str, str], list[Search]] = defaultdict(list)
    for search in plan.searches:
        groups[search.cell.cell.method, _space(search.tune)].append(search)
    devices = {name: placed.resources.devices for name, placed in plan.placements.items()}
    unit = plan.forecast.device
    for (method, space), searches in list(groups.items())[:_MOST_LINES]:
        over, left = sum(s.tuned is not None for s in searches), sum(s.left for s in searches)
        seconds = [_seconds(search) for search in searches]
        known = [
            each * devices[search.cell.cell.name]
            for each, search in zip(seconds, searches, strict=True)
            if each is not None
        ]
        cost = "" if None in seconds else f", about {rounded(sum(known) / 3600)} {unit}"
        rest = f"{quantity(left, 'candidate')} to run{cost}" if left else "nothing left to run"
        console.print(
            styled("search", "cyan"),
            f"{method} in {quantity(len(searches), 'cell')}, at most"
            f" {searches[0].tune.trials} candidates each over {space}: {over} over, {rest}",
            highlight=False,
        )
    if len(groups) > _MOST_LINES:
        console.print(f"… {quantity(len(groups) - _MOST_LINES, 'more search')}; --json lists them")


def _space(tune: Tune) -> str:
    return ", ".join(f"{key} {_values(values)}" for key, values in tune.space.items())


def _values(values: Range | tuple[Value, ...]) -> str:
    if isinstance(values, tuple):
        return "|".join(str(value) for value in values)
    return f"{values.low:g}..{values.high:g}" + (" (log)" if values.log else "")


def contaminated(plan: Plan) -> dict[tuple[str, str], list[str]]:
    """Tasks by (backbone, corpus): its pretraining read what the task is made of, so its scores may be too
    good to compare."""
    tasks_by_corpus: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for cell in plan.sweep.grid.cells:
        corpus = cell.task.spec.corpus
        if corpus is not None and contamination(cell.backbone, corpus):
            tasks_by_corpus[cell.backbone.name, corpus][cell.cell.task] = None
    return {key: list(tasks) for key, tasks in tasks_by_corpus.items()}


def unknown_pretraining(plan: Plan) -> list[str]:
    """Name the backbones with unknown pretraining, which may have read the corpus of one of their tasks."""
    cells = plan.sweep.grid.cells
    asked = {c.backbone.name: c.backbone for c in cells if c.task.spec.corpus is not None}
    return sorted(name for name, backbone in asked.items() if not pretraining_known(backbone))


def contamination_json(plan: Plan) -> list[dict[str, object]]:
    return [
        {"backbone": backbone, "corpus": corpus, "tasks": tasks}
        for (backbone, corpus), tasks in contaminated(plan).items()
    ]
