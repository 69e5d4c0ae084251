"""`frontier stage`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import Config, Overrides, OwnStorage, Smoke, with_storage


def stage(
    config: Config,
    overrides: Overrides = None,
    storage: OwnStorage = None,
    smoke: Smoke = False,
    convert: Annotated[
        bool,
        typer.Option(
            "--convert",
            help="If a hub has pickled weights only, fetch them and convert them to safetensors, once.",
        ),
    ] = False,
) -> None:
    """Fetch or generate weights and data and check their hashes, so that the run needs no network.

    Example: frontier stage public-mini
    """
    from orchestrator.cli import staging
    from orchestrator.cli.opening import open_aloud
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    session = open_aloud(config, with_storage(overrides, storage), console, smoke=smoke)
    session.refuse_missing()
    staging.stage(session, console, tell_present=True, convert=convert)
