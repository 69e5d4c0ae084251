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
    from orchestrator.cli.session import open_session
    from orchestrator.cli.terminal import Terminal

    session = open_session(config, with_storage(overrides, storage), smoke=smoke)
    session.refuse_missing()
    session.stage(Terminal(), tell_present=True, convert=convert)
