"""Writes ledgers as a sweep would leave them: real files, made-up figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec, HubWeights, MadeWeights
from orchestrator.contracts.fold import folds_of
from orchestrator.contracts.kept_weights import KeepWeights
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3
from orchestrator.contracts.methods.weights import Full, HeadOnly
from orchestrator.contracts.metrics import PRIMARY, MetricName, MetricValue
from orchestrator.contracts.outcome import (
    Bill,
    Device,
    EvaluationEvent,
    Event,
    Failure,
    Outcome,
    Parameters,
    PhaseEvent,
    StartEvent,
    StepEvent,
)
from orchestrator.contracts.readers import ConllReader, PubtatorReader, TableReader
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial, RefusedCell, SweepRecord
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.trial import AttemptOrder, Cell, Digests, TrialSpec
from orchestrator.contracts.vocabulary import FailureKind, Phase, Precision, Split, TaskKind
from orchestrator.tracking.ledger import Ledger

_NOON = 1_750_000_000.0  # a fixed Unix time: ledgers of tests never depend on the day
_FILES = {Split.TRAIN: ("train.txt",), Split.DEV: ("dev.txt",), Split.TEST: ("test.txt",)}
_PARAMETERS = {"tiny": 4_400_000, "mini": 11_200_000, "base": 109_500_000}
_METHODS: dict[str, MethodSpec] = {
    "full": MethodSpec(name="full", entry="full", settings=Full()),
    "head-only": MethodSpec(name="head-only", entry="head-only", settings=HeadOnly()),
    "lora-r8": MethodSpec(name="lora-r8", entry="lora", settings=Lora(rank=8)),
    "lora-r16": MethodSpec(name="lora-r16", entry="lora", settings=Lora(rank=16)),
    "ia3": MethodSpec(name="ia3", entry="ia3", settings=Ia3()),
}


def lora_ranks(ranks: Iterable[int]) -> list[str]:
    """Makes LoRA of these ranks known to `LedgerBuilder.plan`; returns their slugs."""
    for rank in ranks:
        spec = MethodSpec(name=f"lora-r{rank}", entry="lora", settings=Lora(rank=rank))
        _METHODS.setdefault(spec.name, spec)
    return [f"lora-r{rank}" for rank in ranks]


def task(name: str, kind: TaskKind = TaskKind.CLASSIFICATION, invented: bool = True) -> TaskSpec:
    reader: ConllReader | PubtatorReader | TableReader
    if kind is TaskKind.NER:
        reader = ConllReader(files=_FILES)
    elif kind is TaskKind.RELATION:
        reader = PubtatorReader(files=_FILES, entity_types=("Problem", "Treatment"), relation="TREATS")
    else:
        between = ";" if kind is TaskKind.MULTILABEL else None
        reader = TableReader(format="csv", files=_FILES, text="text", label="label", label_separator=between)
    return TaskSpec(
        name=name,
        title=name.replace("-", " ").capitalize(),
        kind=kind,
        domain="clinical",
        reader=reader,
        made=MadeNotes() if invented else None,
        negative_label="none" if kind is TaskKind.RELATION else None,
        metric=PRIMARY[kind],
        note=None if invented else "A few labels are noisy.",
    )


def backbone(model: str, domain: str, made: bool = True) -> BackboneSpec:
    corpus: Literal["general", "clinical"] = "clinical" if domain == "clinical" else "general"
    weights = MadeWeights(corpus=corpus, hidden_size=64, layers=2, heads=2, intermediate_size=128)
    return BackboneSpec(
        name=f"{model}-{domain}",
        model=model,
        domain=domain,
        architecture="bert",
        weights=weights if made else HubWeights(hub=f"somebody/{model}-{domain}"),
    )


@dataclass(frozen=True)
class Fate:
    """How one attempt goes. Seconds are wall seconds; phases default to 90 % of them."""

    seconds: float = 100.0
    quality: float | None = None  # a finished attempt
    failure: FailureKind | None = None  # a failed one; with neither, it is killed and leaves no outcome
    phases: Mapping[Phase, float] | None = None
    inherited: Mapping[Phase, float] = field(default_factory=dict)
    resumed_from_step: int | None = None
    device_type: str = "cpu"
    precision: Precision = Precision.FP32
    software: Mapping[str, str] = field(default_factory=lambda: {"torch": "2.13.0"})
    bill: bool = True
    events: bool = True
    fingerprint: str | None = None  # None: the planned one
    train_rows: tuple[int, int] = (400, 400)  # used, available
    labels: tuple[str, ...] = ()
    keep_weights: KeepWeights = "adapters"
    outcome: Mapping[str, Any] = field(default_factory=dict)  # fields of the outcome, laid over it


class LedgerBuilder:
    """A sweep in `directory`. `plan` first, then `attempt` as often as needed."""

    def __init__(self, directory: Path, name: str = "made-up") -> None:
        self.ledger = Ledger(directory / name)
        self.name = name
        self.sweep: SweepRecord | None = None

    def plan(
        self,
        models: Sequence[str] = ("tiny", "mini"),
        domains: Sequence[str] = ("general", "clinical"),
        methods: Sequence[str] = ("full", "lora-r8"),
        tasks: Sequence[TaskSpec] = (task("outcome"),),
        seeds: Iterable[int] = (11, 12, 13),
        refused: Mapping[Cell, str] | None = None,
        recipe: Recipe | None = None,
        resources: Resources | None = None,
        fingerprint: str = "f" * 16,
    ) -> list[PlannedTrial]:
        seeds, refused = tuple(seeds), refused or {}
        cells = [
            Cell(model=m, domain=d, method=w, task=t.name)
            for t in tasks
            for m in models
            for d in domains
            for w in methods
        ]
        cells = [cell for cell in cells if cell not in refused]
        self.sweep = SweepRecord(
            name=self.name,
            question="Which is the cheapest model that is good enough?",
            written_at=_NOON,
            frontier_version="0.1.0",
            config={"name": self.name, "models": list(models), "methods": list(methods)},
            backbones={f"{m}/{d}": backbone(m, d) for m in models for d in domains},
            methods={w: _METHODS[w] for w in methods},
            tasks={t.name: t for t in tasks},
            recipes={cell.name: recipe or Recipe(learning_rate=5e-4) for cell in cells},
            trials=tuple(
                PlannedTrial(
                    cell=c, seed=s, fold=f, fingerprint=fingerprint, resources=resources or Resources()
                )
                for c in cells
                for s in seeds
                for f in folds_of(next(t.folds for t in tasks if t.name == c.task))
            ),
            refused=tuple(RefusedCell(cell=cell, reason=reason) for cell, reason in refused.items()),
            provenance={"python": "3.11.2", "code": "0" * 40},
        )
        self.sweep = self.ledger.write_sweep(self.sweep)
        return list(self.sweep.trials)

    def finish_all(self, quality: Mapping[str, float] | None = None, seconds: float = 100.0) -> None:
        """One finished attempt a planned trial; quality by the cell's name, else spread by position."""
        assert self.sweep is not None
        cells = {trial.cell.name: index for index, trial in enumerate(self.sweep.trials)}
        for trial in self.sweep.trials:
            base = (quality or {}).get(
                trial.cell.name, 0.5 + 0.3 * cells[trial.cell.name] / len(self.sweep.trials)
            )
            size = _PARAMETERS.get(trial.cell.model, 4_400_000) / 4_400_000
            cheap = 1.0 if trial.cell.method == "full" else 0.6
            self.attempt(
                trial, Fate(quality=base + 0.01 * (trial.seed % 3 - 1), seconds=seconds * size * cheap)
            )

    def attempt(self, trial: PlannedTrial, fate: Fate) -> Path:
        """Write the next attempt of a trial as `fate` says; returns its directory."""
        root = layout.trial_directory(self.ledger.directory, trial.name)
        number = len(layout.attempts(root)) + 1
        path = layout.attempt_directory(self.ledger.directory, trial.name, number)
        path.mkdir(parents=True)
        began = _NOON + 10_000.0 * number
        order = self._order(trial, fate, number, path, began)
        (path / layout.ORDER).write_text(order.model_dump_json())
        if fate.events:
            lines = [e.model_dump_json() + "\n" for e in _events(fate, order, began)]
            (path / layout.EVENTS).write_text("".join(lines))
        outcome = _outcome(fate, order, began)
        if outcome is not None:
            (path / layout.OUTCOME).write_text(outcome.model_dump_json())
        if fate.bill:
            bill = Bill(
                allocated_at=began,
                released_at=began + fate.seconds,
                devices=trial.resources.devices,
                device_type=fate.device_type,
            )
            (path / layout.BILL).write_text(bill.model_dump_json())
        return path

    def _order(self, trial: PlannedTrial, fate: Fate, number: int, path: Path, at: float) -> AttemptOrder:
        assert self.sweep is not None
        cell = trial.cell
        spec = TrialSpec(
            cell=cell,
            seed=trial.seed,
            backbone=self.sweep.backbones[cell.backbone_key],
            method=self.sweep.methods[cell.method],
            task=self.sweep.tasks[cell.task],
            recipe=self.sweep.recipes[cell.name],
            digests=Digests(data="d" * 16, weights="w" * 16, code="c" * 16, metrics="1"),
            fingerprint=fate.fingerprint or trial.fingerprint,
            candidate=trial.candidate,
            fold=trial.fold,
        )
        return AttemptOrder(
            trial=spec,
            attempt=number,
            directory=str(path),
            resume_from=_checkpoint(path.parent, number - 1, fate.resumed_from_step),
            cache_dir="cache",
            resources=trial.resources,
            keep_weights=fate.keep_weights,
            ordered_at=at,
        )


def _checkpoint(trial: Path, attempt: int, step: int | None) -> str | None:
    return (
        None if step is None else str(trial / f"attempt-{attempt:03d}" / layout.CHECKPOINTS / f"step-{step}")
    )


def _phases(fate: Fate) -> dict[Phase, float]:
    if fate.phases is not None:
        return dict(fate.phases)
    shares = {Phase.LOAD: 0.1, Phase.TRAIN: 0.6, Phase.EVALUATE: 0.15, Phase.TEST: 0.05}
    return {phase: share * fate.seconds for phase, share in shares.items()}


def _metrics(fate: Fate, order: AttemptOrder) -> dict[MetricName, MetricValue]:
    if fate.quality is None:
        return {}
    found = {
        order.trial.task.metric: MetricValue(value=fate.quality),
        MetricName.LOSS: MetricValue(value=0.7),
    }
    if order.trial.task.kind is TaskKind.CLASSIFICATION:
        found[MetricName.ACCURACY] = MetricValue(value=min(1.0, fate.quality + 0.05))
        found[MetricName.MACRO_AUROC] = MetricValue(missing="a class is absent from the test part")
    return found


def _outcome(fate: Fate, order: AttemptOrder, began: float) -> Outcome | None:
    if fate.quality is None and fate.failure is None:
        return None
    total = _PARAMETERS.get(order.trial.cell.model, 4_400_000)
    adapted = order.trial.method.entry != "full"
    failure = None
    if fate.failure is not None:
        failure = Failure(
            kind=fate.failure, phase=Phase.TRAIN, message="RuntimeError", places=("train.py:1",)
        )
    made = Outcome(
        trial=order.trial.name,
        fingerprint=order.trial.fingerprint,
        attempt=order.attempt,
        state="failed" if failure else "finished",
        failure=failure,
        metric=order.trial.task.metric,
        test=_metrics(fate, order) if order.trial.candidate is None else {},
        dev=_metrics(fate, order),
        best_step=20,
        steps=30,
        planned_steps=30,
        epochs=3.0,
        started_at=began + 0.05 * fate.seconds,
        ended_at=began + 0.95 * fate.seconds,
        phases=_phases(fate),
        inherited_phases=dict(fate.inherited),
        resumed_from_step=fate.resumed_from_step,
        device=Device(
            type=fate.device_type,
            count=order.resources.devices,
            precision=fate.precision,
            software=dict(fate.software),
        ),
        parameters=Parameters(
            total=total,
            trainable=9_000 if adapted else total,
            adapter=8_000 if adapted else 0,
            head=1_000,
        ),
        peak_host_memory_bytes=600_000_000,
        train_tokens=120_000,
        tokens_per_second=2_000.0,
        rows={"train": fate.train_rows[0], "train_available": fate.train_rows[1], "dev": 100, "test": 200},
        labels=fate.labels,
    )
    return made.model_copy(update=dict(fate.outcome))


def _events(fate: Fate, order: AttemptOrder, began: float) -> list[Event]:
    first = fate.resumed_from_step or 0
    events: list[Event] = [
        StartEvent(
            at=began + 1,
            attempt=order.attempt,
            resumed_from_step=fate.resumed_from_step,
            inherited_phases=dict(fate.inherited),
        ),
        PhaseEvent(at=began + 2, phase=Phase.TRAIN),
    ]
    for step in range(first + 10, 31, 10):
        at = began + fate.seconds * step / 32
        events.append(
            StepEvent(
                at=at, step=step, planned_steps=30, loss=2.0 / step, learning_rate=5e-4, tokens=4_000 * step
            )
        )
        score = {order.trial.task.metric: MetricValue(value=min(0.9, 0.02 * step))}
        events.append(EvaluationEvent(at=at + 0.5, step=step, epoch=step / 10, metrics=score, best=True))
    return events
