"""A ledger with something of everything that a report can show."""

from __future__ import annotations

import random
from pathlib import Path

from ledger_builder import Fate, LedgerBuilder, lora_ranks, task

from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, TaskKind

_LEVELS = {"tiny": 0.60, "mini": 0.66, "base": 0.70}
_GAINS = {"full": 0.08, "ia3": 0.01, "head-only": -0.08}
_COSTS = {"full": 1.0, "ia3": 0.5, "head-only": 0.25}


def rich_ledger(directory: Path) -> LedgerBuilder:
    """Three models, three domains, five methods, two tasks; failed, killed, stale, refused and contaminated
    cells among them. Always the same."""
    built = LedgerBuilder(directory, "rich")
    refused = {
        Cell(model="mini", domain="general", method="ia3", task="outcome"): "ia3 has no place in <mini> & co"
    }
    tasks = [task("outcome"), task("mentions", TaskKind.NER, invented=False)]
    tasks[1] = tasks[1].model_copy(update={"corpus": "mimic-iii"})
    methods = ["full", "ia3", "head-only", *lora_ranks([4, 8])]
    trials = built.plan(
        list(_LEVELS), ["general", "biomedical", "clinical"], methods, tasks, [11, 12, 13], refused
    )
    _contaminate(built)
    chance = random.Random(4)
    for index, trial in enumerate(trials):
        cell = trial.cell
        level = _LEVELS[cell.model] + _GAINS.get(cell.method, 0.05) + 0.03 * (cell.domain == "clinical")
        seconds = {"tiny": 90.0, "mini": 220.0, "base": 2200.0}[cell.model] * _COSTS.get(cell.method, 0.6)
        if index % 31 == 5:
            built.attempt(trial, Fate(failure=FailureKind.OUT_OF_MEMORY, seconds=seconds))
        elif index % 47 == 9:
            built.attempt(trial, Fate(seconds=seconds))  # killed
        elif index % 53 == 11:
            built.attempt(trial, Fate(quality=0.5, fingerprint="0" * 16))
        else:
            told = {"train_classes": {"a": 240, "b": 160}}
            quality = level + chance.gauss(0, 0.012)
            built.attempt(trial, Fate(quality=quality, seconds=seconds, outcome=told))
    return built


def _contaminate(built: LedgerBuilder) -> None:
    assert built.sweep is not None
    saw = {
        key: b.model_copy(update={"saw": ("mimic-iii",)}) if b.domain == "clinical" else b
        for key, b in built.sweep.backbones.items()
    }
    built.sweep = built.sweep.model_copy(update={"backbones": saw})
    built.ledger.write_sweep(built.sweep)
