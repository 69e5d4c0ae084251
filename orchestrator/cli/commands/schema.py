"""`frontier schema`."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON schema of a sweep file, for editors.

    Example: frontier schema > sweep.schema.json
    """
    from orchestrator.cli.terminal import print_json
    from orchestrator.config import sweep_schema

    print_json(sweep_schema())
