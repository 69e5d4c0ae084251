"""What an experiment of a sweep says of the sweep itself, as tags, and the sweep's record from them. Pure.

The tags have names, sizes, licences and settings; no path of this machine, no file of a corpus and no label.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.unread_tasks import unread_task
from orchestrator.contracts.vocabulary import FailureRule, TaskKind

_SWEEP, _TASK, _BACKBONE, _METHOD = (
    f"frontier.{part}" for part in ("record", "task.", "backbone.", "method.")
)
_LONGEST = 5_000  # characters of an experiment's tag that MLflow takes
_OF_TASK = {"name", "title", "kind", "domain", "corpus", "data", "metric", "paper_scoring", "note"}
_OF_BACKBONE = {
    "name",
    "model",
    "domain",
    "architecture",
    "family",
    "parameters",
    "licence",
    "lineage",
    "saw",
}
_OF_SWEEP = {
    "name",
    "sweep_id",
    "question",
    "good_enough",
    "failures",
    "written_at",
    "frontier_version",
    "prices",
    "market",
    "changed_data",
}


def record_tags(sweep: SweepRecord) -> dict[str, str]:
    """Return the tags; one that MLflow would refuse for its length is left out."""
    tags = {_SWEEP: _dump(sweep, _OF_SWEEP, order=list(sweep.tasks))}
    tags |= {
        f"{_TASK}{name}": _dump(task, _OF_TASK, invented=task.invented) for name, task in sweep.tasks.items()
    }
    tags |= {f"{_BACKBONE}{key}": _backbone(backbone) for key, backbone in sweep.backbones.items()}
    tags |= {f"{_METHOD}{name}": method.model_dump_json() for name, method in sweep.methods.items()}
    return {key: value for key, value in sorted(tags.items()) if len(value) <= _LONGEST}


def is_ours(tags: Mapping[str, str]) -> bool:
    """Return whether an experiment has the record of a sweep."""
    return _SWEEP in tags


def sweep_id_of(tags: Mapping[str, str]) -> str | None:
    """Return the id of the sweep that the experiment describes; an older version gave it none."""
    sweep_id = json.loads(tags[_SWEEP]).get("sweep_id")
    return None if sweep_id is None else str(sweep_id)


def sweep_of(
    tags: Mapping[str, str],
    trials: Iterable[PlannedTrial],
    recipes: Mapping[str, Recipe],
    provenance: Mapping[str, str],
    standalone: Mapping[str, Standalone],
) -> SweepRecord:
    """Return the record of a sweep, as far as MLflow has it. Raises pydantic.ValidationError where tags were
    changed."""
    head = json.loads(tags[_SWEEP])
    tasks = {key: _task(value) for key, value in _parts(tags, _TASK)}
    return SweepRecord(
        **{key: value for key, value in head.items() if key not in ("good_enough", "failures", "order")},
        good_enough=None if head["good_enough"] is None else SweepTarget(**head["good_enough"]),
        failures=FailureRule(head["failures"]),
        config={"failures": head["failures"]},
        backbones={key: BackboneSpec(**value) for key, value in _parts(tags, _BACKBONE)},
        methods={key: MethodSpec(**value) for key, value in _parts(tags, _METHOD)},
        tasks={name: tasks[name] for name in head["order"] if name in tasks},
        recipes=dict(recipes),
        standalone=dict(standalone),
        trials=tuple(trials),
        provenance=dict(provenance),
    )


def _parts(tags: Mapping[str, str], prefix: str) -> Iterable[tuple[str, dict[str, Any]]]:
    return [(k.removeprefix(prefix), json.loads(v)) for k, v in tags.items() if k.startswith(prefix)]


def _dump(record: Record, keys: set[str], **more: object) -> str:
    text = json.dumps(record.model_dump(mode="json", include=keys) | more)
    return text.replace("<", "\\u003c")  # the same JSON, and no HTML wherever it is shown


def _backbone(backbone: BackboneSpec) -> str:
    weights = backbone.weights
    told = FolderWeights(folder="not recorded") if isinstance(weights, FolderWeights) else weights
    return _dump(backbone, _OF_BACKBONE, weights=told.model_dump(mode="json"))


def _task(values: dict[str, Any]) -> TaskSpec:
    invented, kind = values.pop("invented"), TaskKind(values.pop("kind"))
    return unread_task(kind, **values, made=MadeNotes() if invented else None)
