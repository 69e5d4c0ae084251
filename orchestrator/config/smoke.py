"""A sweep at smoke size: the same grid, methods and readers on tiny untrained models and a few invented rows.

Every line of code of the real sweep runs, in minutes on a laptop, before a GPU is booked. The scores mean
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Generic, TypeVar

from orchestrator.config.catalogue import TaskEntry
from orchestrator.config.grid import Grid
from orchestrator.config.schema import SweepConfig
from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.contracts.methods import MethodSpec, Settings
from orchestrator.contracts.readers import ArrowReader, HoldOut, HubReader, Reader
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import RefusedCell
from orchestrator.contracts.task import MadeNotes
from orchestrator.contracts.tuning import Tune
from orchestrator.contracts.vocabulary import Split

_NOTES = MadeNotes(train=24, dev=14, test=14)
_ROWS, _PER_CLASS, _LENGTH, _BATCH = 16, 2, 64, 8
_STEPS, _SECONDS, _CANDIDATES, _FOLDS = 2, 0.2, 2, 2
_SHARE = 0.2  # of invented rows, in place of a column that says which are held out
# What the tiny models are: two layers, of which `keep_layers` leaves one, and widths that 16 divides.
_PLACES, _DEPTH, _BLOCK = 512, 1, 4
_OF_A_SHAPE = ("layers", "block_size", "factors", "virtual_tokens")

V = TypeVar("V")


def smoke_config(config: SweepConfig) -> SweepConfig:
    """One seed, one core a trial, a name of its own: the records of the real sweep stay untouched."""
    return config.model_copy(
        update={
            "name": f"{config.name}-smoke",
            "seeds": config.seeds[:1],
            "resources": Resources(cpus=1),
            "concurrency": None,
            "data_dir": None,
            "keep_weights": "none",
            "log_models": False,
        }
    )


def smoke_grid(grid: Grid) -> Grid:
    """Build the grid of a smoke run. Cells that need a GPU are refused here, because a smoke run has none;
    the other refusals remain."""
    backbones, tasks, recipes = _Once(_backbone), _Once(_task), _Once(_recipe)
    small = Grid(refused=list(grid.refused))
    for cell in grid.cells:
        reason = _refusal(cell.variant.spec.settings)
        if reason is not None:
            small.refused.append(RefusedCell(cell=cell.cell, reason=reason))
            continue
        backbone = backbones.of(cell.backbone.name, cell.backbone)
        task = tasks.of(cell.task.spec.name, cell.task)
        recipe = recipes.of(cell.recipe, cell.recipe)
        variant = replace(cell.variant, spec=_method(cell.variant.spec))
        small.cells.append(
            replace(cell, backbone=backbone, variant=variant, task=task, recipe=recipe, tune=_tune(cell.tune))
        )
    return small


def _refusal(settings: Settings) -> str | None:
    if settings.quantised_to:
        return f"smoke: a base in {settings.quantised_to} needs a GPU"
    room = _PLACES - _LENGTH
    if settings.extra_tokens > room:
        return f"smoke: virtual_tokens {settings.extra_tokens}, and the tiny models have room for {room}"
    return None


def _method(spec: MethodSpec) -> MethodSpec:
    """Return the method with what follows from the backbone's shape reduced to the tiny one's; the name
    stays."""
    small = spec.settings.at_smoke_size(layers=_DEPTH, block_size=_BLOCK)
    return spec.model_copy(update={"settings": small})


class _Once(Generic[V]):
    """Cells share their parts, so each part is made small once."""

    def __init__(self, make: Callable[[V], V]) -> None:
        self._make = make
        self._made: dict[Hashable, V] = {}

    def of(self, key: Hashable, value: V) -> V:
        if key not in self._made:
            self._made[key] = self._make(value)
        return self._made[key]


def _backbone(spec: BackboneSpec) -> BackboneSpec:
    return spec.model_copy(
        update={
            "weights": RandomWeights(architecture=spec.architecture),
            "keep_layers": None if spec.keep_layers is None else (0,),
            "max_length": _PLACES,
            "parameters": None,
            "shape": {},
        }
    )


def _task(entry: TaskEntry) -> TaskEntry:
    reader = _reader(_in_files(entry.spec.reader))
    spec = entry.spec.model_copy(update={"made": _NOTES, "layouts": (), "reader": reader})
    return entry.model_copy(update={"spec": spec})


def _in_files(reader: Reader) -> Reader:
    """Return the reader of invented rows in the columns of a hub's data set."""
    if not isinstance(reader, HubReader):
        return reader
    columns = reader.model_dump(include=set(ArrowReader.model_fields) - {"format", "files"})
    files = {split: (f"{split}.parquet",) for split in reader.files}
    return ArrowReader.model_validate(columns | {"format": "parquet", "files": files})


def _reader(reader: Reader) -> Reader:
    """Return the reader with shares in place of a column of sites, which invented rows have not, and with
    two folds in place of many."""
    hold_out: HoldOut | None = getattr(reader, "hold_out", None)
    if hold_out is None or (hold_out.by is None and hold_out.folds is None):
        return reader
    shares = {str(split): _SHARE for split in hold_out.splits}
    if hold_out.folds is not None:
        shares = {key: share for key, share in shares.items() if key != Split.TEST} | {"folds": _FOLDS}
    return reader.model_copy(update={"hold_out": HoldOut.model_validate(shares)})


def _recipe(recipe: Recipe) -> Recipe:
    per_class = recipe.train_rows_per_class
    return recipe.model_copy(
        update={
            "epochs": 1,
            "steps": None if recipe.steps is None else _STEPS,
            "train_seconds": None if recipe.train_seconds is None else _SECONDS,
            "batch_size": _BATCH,
            "micro_batch_size": None if recipe.micro_batch_size is None else _BATCH // 2,
            "max_length": min(recipe.max_length, _LENGTH),
            "train_rows": _ROWS if per_class is None else None,
            "train_rows_per_class": None if per_class is None else min(per_class, _PER_CLASS),
            "dev_rows": _ROWS // 2,
            "precision": "fp32",
            "stop_collapsed": False,  # a few steps from random weights collapse as a rule
        }
    )


def _tune(tune: Tune | None) -> Tune | None:
    """Two candidates, over what the tiny models take; where that is nothing, the cell is run untuned."""
    space = {} if tune is None else {k: v for k, v in tune.space.items() if k not in _OF_A_SHAPE}
    if tune is None or not space:
        return None
    return tune.model_copy(update={"trials": min(tune.trials, _CANDIDATES), "space": space})
