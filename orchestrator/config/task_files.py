"""A task as a file of the catalogue describes it: with rules that records of earlier sweeps may not meet."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pydantic import Field, model_validator

from orchestrator.config.problems import shown
from orchestrator.config.recipes import RecipePatch
from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.readers import Reader
from orchestrator.contracts.record import raise_problems
from orchestrator.contracts.sameness import look_alikes, visible
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.task_rules import readers_of, task_problems
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import Problem


class _TaskFile(TaskSpec):
    """A task, in a file `tasks/NAME.yaml` of a catalogue."""

    recipe: RecipePatch = Field(RecipePatch(), description="recipe keys that suit the task")


def task_schema() -> dict[str, object]:
    """JSON schema of a task file, whose name is that of the file."""
    schema = _TaskFile.model_json_schema()
    del schema["properties"]["name"]
    schema["required"].remove("name")
    return schema


class DescribedTask(TaskSpec):
    """The rules of a task in its place in the catalogue, checked at once with those of its record."""

    @model_validator(mode="after")
    def _coherent(self) -> DescribedTask:  # takes the place of the record's own
        raise_problems([*task_problems(self), *_repeated(self)])
        return self

    def spec(self) -> TaskSpec:
        return TaskSpec.model_validate(self.model_dump())


def unknown_metric(raw: Mapping[str, object], problem: Problem) -> Problem:
    """Return the problem of a task's metric with the metrics of its kind, if the kind can be read."""
    kind, metric = raw.get("kind"), raw.get("metric")
    if kind not in list(TaskKind) or metric in list(MetricName):
        return problem
    fitting = [str(name) for name in MetricName if kind in METRICS[name].kinds]
    close = difflib.get_close_matches(str(metric), fitting, n=1, cutoff=0.6)
    fix = f"use one of those for {kind}: {', '.join(fitting)}"
    fix = f"did you mean {close[0]!r}? Else {fix}" if close else fix
    if "metric" not in raw:
        return replace(problem, fix=f"add this key: {fix.removeprefix('use ')}")
    return replace(problem, problem=f"unknown metric, got {shown(metric)}", fix=fix)


def _repeated(task: TaskSpec) -> Iterator[Problem]:
    """Files and labels that are there twice, by name or by look."""
    yield from _look_alikes("labels", task.labels or ())
    for key, reader in readers_of(task):
        yield from _duplicates(key, reader)
        yield from _spellings(task, key, reader)


def _duplicates(key: str, reader: Reader) -> Iterator[Problem]:
    """One path under two names: its rows would be trained on and scored, or counted twice."""
    seen: dict[PurePosixPath, Split] = {}
    for split in Split:
        for path, count in Counter(map(PurePosixPath, reader.files.get(split, ()))).items():
            if count > 1:
                yield Problem.of_key(f"{key}.files.{split}", f"names {path} {count} times", "name it once")
            if (first := seen.setdefault(path, split)) is not split:
                problem = f"names {path}, which files.{first} names as well"
                fix = f"name files that belong to {split} alone, or remove it and hold out a part of train"
                yield Problem.of_key(f"{key}.files.{split}", problem, fix)


def _look_alikes(key: str, labels: Sequence[str]) -> Iterator[Problem]:
    for earlier, label in look_alikes(labels):
        yield Problem.of_key(
            key, f"{visible(earlier)} and {visible(label)} look alike", "keep one of the two"
        )


def _spellings(task: TaskSpec, key: str, reader: Reader) -> Iterator[Problem]:
    """Names that look alike and mean two things."""
    yield from _look_alikes(f"{key}.entity_types", getattr(reader, "entity_types", ()))
    yield from _look_alikes(f"{key}.names", getattr(reader, "names", ()))
    merge: dict[str, str] = getattr(reader, "merge", {})
    for earlier, label in look_alikes([*(task.labels or ()), *merge, *merge.values()]):
        left, right = merge.get(earlier, earlier), merge.get(label, label)
        if left != right and not {earlier, label} <= set(task.labels or ()):
            problem = f"{visible(earlier)} and {visible(label)} look alike, and become {left!r} and {right!r}"
            yield Problem.of_key(f"{key}.merge", problem, "merge both into one label")
