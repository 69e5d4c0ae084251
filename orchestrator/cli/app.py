"""The command line: one line per command, in the order of `frontier --help`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from orchestrator.cli.commands.capabilities import capabilities
from orchestrator.cli.commands.clean import clean
from orchestrator.cli.commands.compare import compare
from orchestrator.cli.commands.doctor import doctor
from orchestrator.cli.commands.evaluate import evaluate
from orchestrator.cli.commands.export import export
from orchestrator.cli.commands.fetch import fetch
from orchestrator.cli.commands.follow import follow
from orchestrator.cli.commands.help import help_of
from orchestrator.cli.commands.init import init
from orchestrator.cli.commands.inspect import backbone_app, task_app
from orchestrator.cli.commands.ledger import ledger
from orchestrator.cli.commands.list import list_names
from orchestrator.cli.commands.logs import logs
from orchestrator.cli.commands.plan import plan
from orchestrator.cli.commands.predict import predict
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
from orchestrator.cli.verbs import Verbs
from orchestrator.contracts.debugging import show_words
from orchestrator.contracts.files import OTHER_ACCOUNTS, OTHER_GROUPS, shut_out
from orchestrator.errors import ConfigError, Problem

_DAILY = "Every day"
_RESULTS = "Results in detail"
_MODELS = "Trained models"
_CATALOGUE = "What a sweep can name"
_UPKEEP = "Upkeep"
_KUBERNETES = "Sweeps on Kubernetes"
_SUBMITTING = ("submit", "resume")  # their sweeps run in pods

app = typer.Typer(
    name="frontier",
    help="Which is the cheapest fine-tuned model that is good enough, and how sure are we?",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        from orchestrator.cli.run.provenance import version

        print(f"frontier {version()}")
        raise typer.Exit


@app.callback()
def _before_the_command(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Print tracebacks of libraries in full; they may quote the data. Ignored in a cluster.",
        ),
    ] = False,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Let your group read what is stored, or also write it if your umask is 002.",
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
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


# By panel, in the order of use; typer lists a group after the commands of its panel. A command has the name
# of its function, unless another is given.
Command = Callable[..., None]
_COMMANDS: dict[str, tuple[Command | tuple[str, Command | typer.Typer], ...]] = {
    _DAILY: (init, plan, run, status, follow, stop, report, ui),
    _RESULTS: (compare, logs, ledger, score),
    _MODELS: (export, predict, evaluate),
    _CATALOGUE: (("list", list_names), capabilities, schema, ("task", task_app), ("backbone", backbone_app)),
    _UPKEEP: (stage, clean, sync, doctor, ("help", help_of)),
    _KUBERNETES: (submit, fetch, resume, render),
}
for _panel, _commands in _COMMANDS.items():
    for _entry in _commands:
        _name, _command = _entry if isinstance(_entry, tuple) else (_entry.__name__, _entry)
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_command)
