"""The command line: one line per command, in the order of `frontier --help`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.commands.capabilities import capabilities
from orchestrator.cli.commands.doctor import doctor
from orchestrator.cli.commands.fetch import fetch
from orchestrator.cli.commands.follow import follow
from orchestrator.cli.commands.inspect import backbone_app, task_app
from orchestrator.cli.commands.ledger import ledger
from orchestrator.cli.commands.plan import plan
from orchestrator.cli.commands.render import render
from orchestrator.cli.commands.report import report
from orchestrator.cli.commands.resume import resume
from orchestrator.cli.commands.run import run
from orchestrator.cli.commands.schema import schema
from orchestrator.cli.commands.score import score
from orchestrator.cli.commands.stage import stage
from orchestrator.cli.commands.status import status
from orchestrator.cli.commands.stop import stop
from orchestrator.cli.commands.submit import submit
from orchestrator.cli.commands.sync import sync
from orchestrator.cli.commands.ui import ui
from orchestrator.contracts.debugging import show_words
from orchestrator.contracts.files import OTHER_ACCOUNTS, OTHER_GROUPS, shut_out
from orchestrator.errors import ConfigError, Problem

_SWEEPS = "Sweeps"
_KUBERNETES = "Sweeps on Kubernetes"
_CHECKS = "Checks and the catalogue"
_SUBMITTING = ("submit", "resume")  # their sweeps run in pods

app = typer.Typer(
    name="frontier",
    help="Which is the cheapest fine-tuned model that is good enough, and how sure are we?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _before_the_command(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Print foreign tracebacks in full. They may quote the data. Not in a cluster."
        ),
    ] = False,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Let your group read what is stored, and write it if your umask is 002.",
        ),
    ] = False,
) -> None:
    """Restrict what is stored to this account, or with --shared to its group."""
    if shared and context.invoked_subcommand in _SUBMITTING:
        problem = (
            f"`frontier {context.invoked_subcommand}` runs a sweep in pods, which store for themselves alone"
        )
        fix = "remove it; `frontier --shared fetch SWEEP` copies the records here for your group"
        raise ConfigError([Problem("command line", "--shared", problem, fix)])
    shut_out(OTHER_GROUPS if shared else OTHER_ACCOUNTS)
    if debug:
        show_words()


for _panel, _commands in {
    _SWEEPS: (plan, run, status, report, ledger, score, stage, ui, sync),
    _KUBERNETES: (submit, follow, fetch, stop, resume, render),
    _CHECKS: (doctor, capabilities, schema),
}.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(task_app, name="task", rich_help_panel=_CHECKS)
app.add_typer(backbone_app, name="backbone", rich_help_panel=_CHECKS)
