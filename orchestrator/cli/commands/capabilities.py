"""`frontier capabilities`."""

from __future__ import annotations

from typing import Annotated

import typer


def capabilities(
    architecture: Annotated[str | None, typer.Option(help="Show this architecture only.")] = None,
    method: Annotated[str | None, typer.Option(help="Show this method only, with its variants.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Show which architecture supports which method for which kind of task, as measured, and why not.

    Example: frontier capabilities --method lora
    """
    from orchestrator.cli.catalogue.capabilities import select_rows, show_capabilities
    from orchestrator.cli.terminal import Terminal, print_json

    rows = select_rows(architecture, method)
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
    else:
        show_capabilities(rows, Terminal())
