"""Tasks in reports on runs whose data are out of reach: they are scored, and nothing reads their files."""

from __future__ import annotations

from typing import Any

from orchestrator.contracts.readers import ConllReader, TableReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind

_FILES = {Split.TEST: ("unknown",)}


def unread_task(kind: TaskKind, **fields: Any) -> TaskSpec:
    """Return a task of this kind with the other `fields` of a TaskSpec. Raises pydantic.ValidationError."""
    reader = (
        ConllReader(files=_FILES)
        if kind is TaskKind.NER
        else TableReader(
            format="csv",
            files=_FILES,
            text="text",
            label="label",
            label_separator=";" if kind is TaskKind.MULTILABEL else None,
        )
    )
    negative = "none" if kind is TaskKind.RELATION else None
    return TaskSpec(kind=kind, reader=reader, negative_label=negative, **fields)
