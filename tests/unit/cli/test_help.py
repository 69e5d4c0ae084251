"""What `frontier --help` loads and lists, each command's help, and what an unknown command is answered."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.verbs import Verbs
from orchestrator.errors import ExitCode, InterruptedSweepError


def _by_words() -> Iterator[tuple[str, Any]]:
    """Yield each command with the words that call it."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {word}", one) for word, one in inner.items())


COMMANDS = dict(_by_words())


def _said(*words: str, **environment: str) -> str:
    return CliRunner().invoke(app, words, env={"COLUMNS": "200", **environment}).output


def test_the_list_of_commands_loads_no_library_but_typer() -> None:
    libraries = ("pydantic", "yaml", "kubernetes", "numpy", "ray", "mlflow", "torch", "orchestrator.config")
    code = f"import sys, orchestrator.cli.app; print([m for m in {libraries} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_the_daily_commands_first() -> None:
    words = _said("--help").split()
    commands = ["plan", "run", "status", "report", "ledger", "backbone", "doctor", "submit"]
    listed = [words[n + 1] for n, word in enumerate(words[:-1]) if word == "│" and words[n + 1] in commands]
    assert listed == commands


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_a_command_has_an_example_that_its_parser_accepts(words: str) -> None:
    command = COMMANDS[words]
    (example,) = re.findall(r"(?m)^Example: (frontier .*)$", command.help)
    typed = shlex.split(example.partition(" > ")[0])[1:]
    context: Any = typer.main.get_command(app).make_context("frontier", typed)
    while hasattr(context.command, "commands"):
        name, inner, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = inner.make_context(name, rest, parent=context)
    assert context.command.name == command.name


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_a_command_shows_the_text_of_each_parameter(words: str) -> None:
    """Rich takes `[/word]` in a text for markup, and fails."""
    done = CliRunner().invoke(app, [*words.split(), "-h"], env={"COLUMNS": "400"})
    assert done.exit_code == 0
    texts = [parameter.help for parameter in COMMANDS[words].params if getattr(parameter, "help", None)]
    assert [text for text in texts if text not in done.output] == []


def test_there_are_three_ways_to_the_same_help() -> None:
    assert _said("run", "-h") == _said("run", "--help") == _said("help", "run")
    assert _said("-h") == _said("help")
    assert _said("task", "inspect", "-h") == _said("help", "task", "inspect")


def test_help_of_an_unknown_command_names_the_one_that_is_meant() -> None:
    assert "Did you mean `frontier run`?" in _said("help", "train")


def test_version_prints_the_version_alone() -> None:
    assert re.fullmatch(r"frontier \d+\.\d+\.\d+\n", _said("--version"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("train", "run"),
        ("start", "run"),
        ("results", "report"),
        ("dashboard", "ui"),
        ("plann", "plan"),
        ("statsu", "status"),
        ("trian", "run"),
        ("models", "list models"),
        ("download", "stage"),
        ("version", "--version"),
        ("sweep.yaml", "plan sweep.yaml"),
    ],
)
def test_an_unknown_command_is_answered_with_the_one_that_is_meant(typed: str, meant: str) -> None:
    done = CliRunner().invoke(app, [typed], env={"COLUMNS": "200"})
    assert done.exit_code == ExitCode.WRONG_INPUT
    assert f"No such command '{typed}'. Did you mean `frontier {meant}`?" in done.output


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--learning-rate", ", say `recipe.learning_rate=VALUE`."),
        ("--seeds", ", say `seeds=VALUE`."),
        ("--lr", "; `frontier schema` lists them."),
    ],
)
def test_an_option_that_is_a_key_of_the_sweep_file_is_answered_with_how_to_set_it(
    option: str, said: str
) -> None:
    done = CliRunner().invoke(app, ["plan", "demo", f"{option}=1e-4"], env={"COLUMNS": "200"})
    assert done.exit_code == ExitCode.WRONG_INPUT
    assert f"No such option '{option}'. Keys of the sweep file are set without dashes{said}" in done.output


def test_an_option_that_resembles_one_is_answered_with_that() -> None:
    assert "Possible options: --smoke, --storage" in _said("plan", "demo", "--stroage", "x")


def test_a_word_that_resembles_no_command_leads_to_the_list() -> None:
    assert "`frontier help` lists the commands." in _said("xyzzy")


def test_a_shell_completes_commands_and_shipped_sweeps() -> None:
    complete = {"_FRONTIER_COMPLETE": "complete_bash"}
    assert _said(COMP_WORDS="frontier repo", COMP_CWORD="1", **complete).split() == ["report"]
    assert _said(COMP_WORDS="frontier plan dem", COMP_CWORD="2", **complete).split() == ["demo"]


def test_ctrl_c_ends_any_command_with_one_line_and_130() -> None:
    interrupted = typer.Typer(cls=Verbs)

    @interrupted.callback()
    def group() -> None: ...

    @interrupted.command()
    def wait() -> None:
        raise KeyboardInterrupt

    done = CliRunner().invoke(interrupted, ["wait"])
    assert done.output == ""
    assert isinstance(done.exception, InterruptedSweepError)
    assert str(done.exception) == "interrupted"
    assert done.exception.exit_code == 130
