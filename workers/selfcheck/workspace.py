"""Provide the checks with invented models, texts and orders, and with the resources to run on."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.methods import MethodSpec, Settings
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.outcome import Event, Outcome, StepEvent, read_event
from orchestrator.contracts.readers import ConllReader, TableReader
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import AttemptOrder, Cell, Digests, TrialSpec
from orchestrator.contracts.vocabulary import Split, TaskKind

T = TypeVar("T")

WORDS = 900  # of the invented language: w0 … w899
_SIGNS = 60  # its first words, which reveal the label


@dataclass(frozen=True)
class Workspace:
    """The folder of the checks: `root` exists and is removed afterwards. In a rehearsal everything runs on
    the CPU, at a small size."""

    root: Path
    rehearsal: bool

    def sized(self, on_gpu: T, rehearsed: T) -> T:
        return rehearsed if self.rehearsal else on_gpu

    def of_check(self, number: str) -> Path:
        """Return a folder for one check."""
        folder = self.root / f"check-{number}"
        folder.mkdir(exist_ok=True)
        return folder

    def resources(self, **fields: Any) -> Resources:
        """Return one GPU, or one core in a rehearsal."""
        return Resources(**({} if self.rehearsal else {"gpus": 1}) | fields)


@dataclass(frozen=True)
class Texts:
    """Invented rows of `length` words each. The words reveal the label."""

    rows: int = 64  # of train; dev and test have a quarter of it
    length: int = 30
    kind: TaskKind = TaskKind.CLASSIFICATION

    def write(self, folder: Path) -> TaskSpec:
        """Write the three splits, and return the task that reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        generator = random.Random(0)
        ending = "tsv" if self.kind is TaskKind.NER else "csv"
        for split in Split:
            rows = self.rows if split is Split.TRAIN else max(8, self.rows // 4)
            lines = [self._row(number, generator) for number in range(rows)]
            text = "\n\n".join(lines) if self.kind is TaskKind.NER else "\n".join(["text,label", *lines])
            write_atomically(folder / f"{split}.{ending}", f"{text}\n")
        files = {split: (f"{split}.{ending}",) for split in Split}
        reader: ConllReader | TableReader = TableReader(format="csv", files=files, text="text", label="label")
        if self.kind is TaskKind.NER:
            reader = ConllReader(files=files)
        return TaskSpec(
            name=f"invented-{self.kind}-{self.rows}x{self.length}",
            title="Invented texts",
            kind=self.kind,
            domain="general",
            reader=reader,
            metric=PRIMARY[self.kind],
        )

    def _row(self, number: int, generator: random.Random) -> str:
        """Return a row. In the first class a third of the words come from the first half of the signs, in the
        second class from the second half."""
        second = number % 2
        signs = range(_SIGNS // 2 * second, _SIGNS // 2 * (second + 1))
        words = [
            f"w{generator.choice(signs) if generator.random() < 0.33 else generator.randrange(_SIGNS, WORDS)}"
            for _ in range(self.length)
        ]
        if self.kind is TaskKind.NER:
            return "\n".join(f"{w}\t{'B-sign' if int(w[1:]) < _SIGNS else 'O'}" for w in words)
        return f"{' '.join(words)},{('first', 'second')[second]}"


def deviation(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the largest relative difference. Losses are finite, so no value is infinite."""
    return max(abs(a - b) / max(abs(a), 1e-9) for a, b in zip(expected, actual, strict=False))


@dataclass(frozen=True)
class Ran:
    """An attempt that has ended."""

    directory: Path
    outcome: Outcome
    events: tuple[Event, ...]

    @property
    def losses(self) -> list[float]:
        """Return the training losses, one per step event."""
        return [event.loss for event in self.events if isinstance(event, StepEvent)]

    @property
    def failure_kind(self) -> str:
        """Return the failure kind of an attempt, or "none" if it did not fail."""
        return str(self.outcome.failure.kind) if self.outcome.failure else "none"

    def losses_apart(self, other: Ran) -> float:
        """Return the largest relative difference between two equally long runs of losses; else infinity."""
        if len(self.losses) != len(other.losses):
            return math.inf
        return deviation(self.losses, other.losses)

    @classmethod
    def read(cls, directory: Path) -> Ran:
        lines = (directory / layout.EVENTS).read_bytes().splitlines()
        outcome = Outcome.model_validate_json((directory / layout.OUTCOME).read_bytes())
        return cls(directory, outcome, tuple(map(read_event, lines)))


@dataclass(frozen=True)
class Trials:
    """The trials of one check, below `folder`."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def spec(
        self,
        backbone: BackboneSpec,
        settings: Settings | None = None,
        texts: Texts | None = None,
        *,
        seed: int = 1,
        recipe: Mapping[str, Any] | None = None,
    ) -> TrialSpec:
        settings, task = settings or Full(), (texts or Texts()).write(self.data)
        settings_of_check = {
            "learning_rate": 3e-4,
            "steps": 20,
            "evaluations": 1,
            "batch_size": 8,
            "max_length": 512,
        }
        return TrialSpec(
            cell=Cell(model=backbone.model, domain="general", method=settings.kind, task=task.name),
            seed=seed,
            backbone=backbone,
            method=MethodSpec(name=settings.kind, entry=settings.kind, settings=settings),
            task=task,
            recipe=Recipe.model_validate(settings_of_check | dict(recipe or {})),
            digests=Digests(data=None, weights=None, code="selfcheck", metrics="1"),
            fingerprint="5e1fc4ec5e1fc4ec",
        )

    def order(self, trial: TrialSpec, resources: Resources, name: str, **fields: Any) -> Path:
        """Write the order of one attempt into a folder of that name; return its path."""
        attempt = int(fields.get("attempt", 1))
        directory = self.folder / "orders" / name / f"attempt-{attempt:03d}"
        directory.mkdir(parents=True)
        values: dict[str, Any] = {
            "trial": trial,
            "attempt": attempt,
            "directory": str(directory),
            "data_dir": str(self.data),
            "cache_dir": str(self.cache),
            "resources": resources,
            "checkpoint_seconds": 3600.0,
            "keep_weights": "none",
            "ordered_at": 0.0,
        }
        order = AttemptOrder.model_validate(values | fields)
        write_atomically(directory / layout.ORDER, order.model_dump_json(indent=1))
        return directory / layout.ORDER
