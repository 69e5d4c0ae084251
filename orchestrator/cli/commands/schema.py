"""`frontier schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class SchemaOf(StrEnum):
    SWEEP = "sweep"
    TASK = "task"


def schema(
    of: Annotated[SchemaOf, typer.Argument(metavar="sweep|task", help="The kind of file.")] = SchemaOf.SWEEP,
) -> None:
    """Print the JSON schema of a sweep file or of a task file, for editors.

    Example: frontier schema task > task.schema.json
    """
    from orchestrator.cli.terminal import print_json
    from orchestrator.config import sweep_schema, task_schema

    print_json({SchemaOf.SWEEP: sweep_schema, SchemaOf.TASK: task_schema}[of]())
