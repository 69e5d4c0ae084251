"""The words that select a command: `help`, and what a word that is no command was meant for."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from typer.core import TyperGroup

from orchestrator.errors import InterruptedSweepError

# What people type, by the command that does it. Only commands that exist are suggested.
_SYNONYMS = {
    "init": "new create setup scaffold template wizard",
    "plan": "estimate forecast preview dry-run validate cost price quote check-config",
    "run": "train start launch execute fit finetune fine-tune tune sweep begin go",
    "status": "state progress jobs ps info history",
    "status SWEEP --watch": "watch monitor top",
    "follow": "attach tail",
    "stop": "kill cancel end abort terminate halt interrupt pause",
    "report": "results result summary show best winner frontier plot figure chart html",
    "ui": "dashboard open view browse web",
    "ui mlflow": "mlflow tracking",
    "ui ray": "ray",
    "compare": "diff versus vs",
    "export": "save download-model pack publish",
    "predict": "infer inference classify annotate serve",
    "evaluate": "eval test assess",
    "logs": "log events trace errors",
    "ledger": "usage hours billing bill accounting costs spent",
    "score": "scores rank ranking",
    "list": "ls catalogue catalog available",
    "list models": "models model backbones encoders checkpoints",
    "list methods": "methods method adapters peft",
    "list tasks": "tasks datasets dataset data corpora",
    "list metrics": "metrics metric",
    "list prices": "prices pricing",
    "list devices": "devices device gpus gpu hardware",
    "list sweeps": "sweeps experiments studies runs",
    "task inspect": "inspect describe explore",
    "capabilities": "matrix supported support compatibility",
    "schema": "json-schema keys options",
    "stage": "download prepare prefetch cache",
    "clean": "delete remove rm prune purge gc free",
    "sync": "rebuild import",
    "doctor": "check diagnose verify debug",
    "submit": "deploy apply schedule kubernetes k8s",
    "fetch": "pull copy",
    "resume": "continue restart retry",
    "render": "manifests yaml kustomize",
    "--version": "version about",
}
_OF_GROUPS = {
    "task": {"list tasks": "list ls all", "task inspect": "show describe check stats"},
    "backbone": {"list models": "list ls all", "backbone inspect": "show describe check"},
}
_CLOSE = 0.75  # of difflib's ratio; at its default `export` is taken for `report`


def meant_command(
    word: str, verbs: Collection[str], group: str = "", inner: Collection[str] = ()
) -> str | None:
    """Return the command, after `frontier`, that somebody who types `word` may mean: one with that meaning,
    else one with a similar spelling; None for a word that resembles nothing. `verbs` are the commands of
    `frontier`, `inner` those of the `group` in which the word was typed."""
    synonyms = {
        synonym: command
        for command, words in (_OF_GROUPS[group] if group else _SYNONYMS).items()
        if command.startswith("-") or command.split()[0] in verbs
        for synonym in words.split()
    }
    if word in synonyms:
        return synonyms[word]
    if word.endswith((".yaml", ".yml")) and not group:
        return f"plan {word}"
    names = {name: f"{group} {name}" for name in inner} if group else {name: name for name in verbs}
    close = difflib.get_close_matches(word, [*names, *synonyms], n=1, cutoff=_CLOSE)
    return {**synonyms, **names}[close[0]] if close else None


def _meant_as_key(command: Any, arguments: list[str]) -> str | None:
    """Return the option of a command that takes a sweep file which it does not have, and whose name is not
    close to one that it has; None if there is none."""
    if not any(parameter.name == "overrides" for parameter in command.params):
        return None
    options = ["--help", *(option for parameter in command.params for option in parameter.opts)]
    options += [option for parameter in command.params for option in parameter.secondary_opts]
    typed = (word.partition("=")[0] for word in arguments if word.startswith("--"))
    unknown = next((word for word in typed if word not in options), None)
    close = difflib.get_close_matches(unknown or "", options, n=1, cutoff=_CLOSE)
    return None if close or unknown == "--" else unknown


def _said(key: str) -> str:
    """Return how the key is set, or where the keys are listed."""
    from orchestrator.config.schema import SweepConfig
    from orchestrator.contracts.recipe import Recipe

    if key in SweepConfig.model_fields:
        return f", say `{key}=VALUE`"
    if key in Recipe.model_fields:
        return f", say `recipe.{key}=VALUE`"
    return "; `frontier schema` lists them"


class Verbs(TyperGroup):
    """A group of commands that names the command which was meant, and ends with one line at Ctrl-C."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if word not in self.commands and not word.startswith("-") and not ctx.resilient_parsing:
            group = ctx.info_name if ctx.parent else ""
            meant = meant_command(word, ctx.find_root().command.commands, group, self.commands)
            hint = f"Did you mean `frontier {meant}`?" if meant else "`frontier help` lists the commands."
            ctx.fail(f"No such command {word!r}. {hint}")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and (option := _meant_as_key(command, rest)):
            key = option.removeprefix("--").replace("-", "_")
            ctx.fail(f"No such option {option!r}. Keys of the sweep file are set without dashes{_said(key)}.")
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # typer would exit without a word
            raise InterruptedSweepError("interrupted") from None
