"""`frontier help`."""

from __future__ import annotations

from typing import Annotated

import typer


def help_of(
    context: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Default: the list of commands.")
    ] = None,
) -> None:
    """Show how to use a command, as its -h does.

    Example: frontier help run
    """
    root = context.find_root()
    root.command.main([*(command or []), "--help"], prog_name=root.info_name)
